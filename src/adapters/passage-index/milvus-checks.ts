import type { Document, PassageInput } from "../../types.ts";
import type { HashedTerms } from "./hashed-terms.ts";
import { entryData, invalid } from "./milvus-records.ts";
import { ARRAY_LENGTH_MAX, VARCHAR_BYTES_MAX } from "./milvus-schema.ts";
import { LIST_LENGTH_MAX, type StoredMetadata } from "./milvus-values.ts";
import { checkVector, type Space } from "./vector-space.ts";

/** Of a passage's text. */
const TEXT_CHARACTERS_MAX = 4_000_000;
/** Of a document's id, which is part of names. */
const ID_BYTES_MAX = 2000;

/** @throws RaglineError `conflict`, `request_invalid`: what cannot be stored, before anything is sent */
export function checkDocument(document: Document, passages: readonly PassageInput[], space: Space): void {
  const { id, groups } = document;
  if (Buffer.byteLength(id) > ID_BYTES_MAX) throw invalid(`id: longer than ${ID_BYTES_MAX} bytes`);
  if (groups.length > ARRAY_LENGTH_MAX) throw invalid(`groups: ${groups.length}, but at most ${ARRAY_LENGTH_MAX}`);
  for (const [i, { text, vector }] of passages.entries()) {
    if (text.length > TEXT_CHARACTERS_MAX) {
      throw invalid(`passages[${i}].text: ${text.length} characters, but at most ${TEXT_CHARACTERS_MAX}`);
    }
    if (vector) checkVector(vector, space);
  }
}

/** @throws RaglineError `request_invalid`: more metadata than Milvus holds */
export function checkMetadata(document: Document, { meta, sorted }: StoredMetadata): void {
  if (meta.length > ARRAY_LENGTH_MAX) {
    throw invalid(`metadata: ${meta.length} fields and values, but at most ${ARRAY_LENGTH_MAX}`);
  }
  if (Object.values(sorted).some((list) => list.length > LIST_LENGTH_MAX)) {
    throw invalid(`metadata: a list of more than ${LIST_LENGTH_MAX} values`);
  }
  const bytes = Math.max(Buffer.byteLength(JSON.stringify(sorted)), Buffer.byteLength(entryData(document, "")) + 32);
  if (bytes > VARCHAR_BYTES_MAX) {
    throw invalid(`metadata: ${bytes} bytes as Milvus holds it, but at most ${VARCHAR_BYTES_MAX}`);
  }
}

/** Of servers before Milvus 2.4. @throws RaglineError `request_invalid` */
export function checkScanned(terms: readonly HashedTerms[]): void {
  for (const [i, { counts }] of terms.entries()) {
    if (counts.size <= ARRAY_LENGTH_MAX) continue;
    throw invalid(
      `passages[${i}].text: ${counts.size} different words, but at most ${ARRAY_LENGTH_MAX} before Milvus 2.4`,
    );
  }
}
