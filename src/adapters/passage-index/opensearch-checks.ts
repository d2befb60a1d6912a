import { RaglineError } from "../../errors.ts";
import type { Document, PassageInput } from "../../types.ts";
import { checkVector, type Space } from "./vector-space.ts";

/** Of a passage's text: a request to OpenSearch may hold 100 MB (`http.max_content_length`). */
const TEXT_CHARACTERS_MAX = 4_000_000;
/** Of a document's id: Lucene's terms hold 32,766 bytes. */
const ID_BYTES_MAX = 8000;

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
