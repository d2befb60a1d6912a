import { RaglineError } from "../errors.ts";
import { GROUP_LENGTH_MAX, GROUPS_MAX, type Metadata, type MetadataValue } from "../types.ts";

/** Fields of one document. */
export const METADATA_FIELDS_MAX = 64;
/** UTF-16 units of a field's name. */
export const FIELD_NAME_LENGTH_MAX = 128;
/** UTF-16 units of a text, also of each text in a list. */
export const FIELD_TEXT_LENGTH_MAX = 4_000;
/** Entries of a list. */
export const FIELD_LIST_MAX = 100;
/** UTF-16 units of a title and a URL, wherever they come from. */
export const TITLE_LENGTH_MAX = 1_000;
export const URL_LENGTH_MAX = 2_000;
/** Names that mean something else to JavaScript objects. */
export const RESERVED_FIELD_NAMES: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/**
 * Checks metadata against the limits above, wherever it comes from.
 * @throws RaglineError `request_invalid` with the bare reason, naming the field and the limit ("has a metadata field …").
 */
export function checkMetadata(metadata: Metadata): void {
  const fields = Object.entries(metadata);
  if (fields.length > METADATA_FIELDS_MAX) {
    throw invalid(`has ${fields.length} metadata fields (at most ${METADATA_FIELDS_MAX})`);
  }
  for (const [name, value] of fields) {
    const problem = nameProblem(name) ?? valueProblem(value);
    if (problem !== null) throw invalid(`has a metadata field "${name.slice(0, FIELD_NAME_LENGTH_MAX)}" ${problem}`);
  }
}

/**
 * Checks what a document says of itself against the limits above.
 * @throws RaglineError `request_invalid` with the bare reason, naming the field and the limit.
 */
export function checkHead(head: {
  readonly id: string;
  readonly title: string;
  readonly url?: string;
  readonly groups: readonly string[];
}): void {
  const { id, title, url = "", groups } = head;
  if (id.trim() === "") throw invalid("has an empty id");
  if (title.length > TITLE_LENGTH_MAX) throw invalid(`has a title longer than ${TITLE_LENGTH_MAX} characters`);
  if (url.length > URL_LENGTH_MAX) throw invalid(`has a url longer than ${URL_LENGTH_MAX} characters`);
  if (groups.length > GROUPS_MAX) throw invalid(`has ${groups.length} groups (at most ${GROUPS_MAX})`);
  const long = groups.find((group) => group.length > GROUP_LENGTH_MAX);
  if (long !== undefined) throw invalid(`has a group whose name is longer than ${GROUP_LENGTH_MAX} characters`);
  if (![title, url, ...groups].every(isStorable)) {
    throw invalid("has a title, url or group that holds NUL or half of a surrogate pair");
  }
}

function nameProblem(name: string): string | null {
  if (name.trim() === "") return "whose name is blank";
  if (name.length > FIELD_NAME_LENGTH_MAX) return `whose name is longer than ${FIELD_NAME_LENGTH_MAX} characters`;
  if (name.startsWith("$")) return "whose name begins with `$`";
  if (RESERVED_FIELD_NAMES.has(name)) return "whose name is reserved";
  return isStorable(name) ? null : "whose name holds NUL or half of a surrogate pair";
}

function valueProblem(value: MetadataValue): string | null {
  if (Array.isArray(value) && value.length > FIELD_LIST_MAX) return `with more than ${FIELD_LIST_MAX} entries`;
  for (const item of Array.isArray(value) ? value : [value]) {
    if (typeof item !== "string") continue;
    if (item.length > FIELD_TEXT_LENGTH_MAX) return `with text longer than ${FIELD_TEXT_LENGTH_MAX} characters`;
    if (!isStorable(item)) return "with text that holds NUL or half of a surrogate pair";
  }
  return null;
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes("\0");
}

function invalid(reason: string): RaglineError {
  return new RaglineError("request_invalid", reason);
}
