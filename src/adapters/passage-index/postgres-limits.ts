import { RaglineError } from "../../errors.ts";
import type { Document, Filter, PassageInput, Scope } from "../../types.ts";
import { type ClaimedCollection, PASSAGES_MAX } from "./postgres-writes.ts";
import { checkVector, type Space, spaceConflict } from "./vector-space.ts";

/** Of a passage's text: what PostgreSQL and its client take in one message is some 1 GB. */
const TEXT_CHARACTERS_MAX = 16_000_000;
/** Of a document's id, which an index holds: a third of a page. */
const ID_BYTES_MAX = 2000;

/** @throws RaglineError `conflict`, `request_invalid`: what cannot be stored, before anything is sent */
export function checkDocument(document: Document, passages: readonly PassageInput[], space: Space): void {
  const { id, title, url = "", hash, metadata, groups, source = "" } = document;
  if (Buffer.byteLength(id) > ID_BYTES_MAX) throw invalid(`id: longer than ${ID_BYTES_MAX} bytes`);
  if (passages.length > PASSAGES_MAX)
    throw invalid(`passages: ${passages.length}, but at most ${PASSAGES_MAX} a document`);
  const own = { id, title, url, hash, groups: groups.join(), source };
  for (const [field, text] of Object.entries(own)) checkText(field, text);
  for (const [field, value] of Object.entries(metadata)) {
    checkText(`metadata.${field}`, field);
    for (const one of [value].flat()) if (typeof one === "string") checkText(`metadata.${field}`, one);
  }
  for (const [i, { text, headings, vector }] of passages.entries()) {
    checkText(`passages[${i}].text`, text);
    checkText(`passages[${i}].headings`, headings.join());
    if (text.length > TEXT_CHARACTERS_MAX) {
      throw invalid(`passages[${i}].text: ${text.length} characters, but at most ${TEXT_CHARACTERS_MAX}`);
    }
    if (vector) checkVector(vector, space);
  }
}

/** @throws RaglineError `conflict`, naming both spaces */
export function checkSpace(
  scope: Scope,
  stored: Pick<ClaimedCollection, "embedder" | "dimensions">,
  space: Space,
): void {
  if (stored.embedder === space.model && stored.dimensions === space.dimensions) return;
  throw spaceConflict(scope, { model: stored.embedder, dimensions: stored.dimensions }, space);
}

/** Whether PostgreSQL can compare with every string of the filter; what it cannot store matches nothing. */
export function checkFilter(filter: Filter): void {
  if (JSON.stringify(filter).includes("\\u0000")) throw invalid("filter: holds the character U+0000");
}

function checkText(field: string, text: string): void {
  if (text.includes("\0")) throw invalid(`${field}: holds the character U+0000, which PostgreSQL cannot store`);
}

function invalid(problem: string): RaglineError {
  return new RaglineError("request_invalid", `${problem}.`);
}
