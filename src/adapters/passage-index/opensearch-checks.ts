import { RaglineError } from "../../errors.ts";
import type { Document, PassageInput } from "../../types.ts";
import type { Space } from "./opensearch-schema.ts";

/** Of a passage's text: a request to OpenSearch may hold 100 MB (`http.max_content_length`). */
const TEXT_CHARACTERS_MAX = 4_000_000;
/** Of a document's id: Lucene's terms hold 32,766 bytes. */
const ID_BYTES_MAX = 8000;

/** @throws RaglineError `conflict`: another length than the embedder's; `request_invalid`: a value is not finite */
export function checkVector(vector: Float32Array, { model, dimensions }: Space): void {
  if (vector.length !== dimensions) {
    throw new RaglineError("conflict", `vector: ${vector.length} values, but ${model} has ${dimensions}`, {
      retryable: false,
    });
  }
  const at = vector.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) throw invalid(`vector: value ${at} is ${vector[at]}, not a finite number`);
}

/** @throws RaglineError `conflict`, `request_invalid`: what cannot be stored, before anything is sent */
export function checkDocument({ id }: Document, passages: readonly PassageInput[], space: Space): void {
  if (Buffer.byteLength(id) > ID_BYTES_MAX) throw invalid(`id: longer than ${ID_BYTES_MAX} bytes`);
  for (const [i, { text, vector }] of passages.entries()) {
    if (text.length > TEXT_CHARACTERS_MAX) {
      throw invalid(`passages[${i}].text: ${text.length} characters, but at most ${TEXT_CHARACTERS_MAX}`);
    }
    if (vector) checkVector(vector, space);
  }
}

function invalid(problem: string): RaglineError {
  return new RaglineError("request_invalid", `${problem}.`);
}
