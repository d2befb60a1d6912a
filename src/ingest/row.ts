import { RaglineError } from "../errors.ts";
import { beginning } from "../text/beginning.ts";
import { type Refusal, readFields, readMetadata, refusalOf, type SourceDocument, toDocument } from "./document.ts";
import { decodeText } from "./encoding.ts";

/** In a message. */
const NAMES_SHOWN_MAX = 10;
const NAME_SHOWN_MAX = 40;

/** What a line of JSONL holds. `documentId`: the only document that is missing because of it; absent: unknown. */
export type Row =
  | { readonly document: SourceDocument }
  | (Refusal & { readonly documentId?: string })
  | { readonly blank: true };

/**
 * Reads one line of JSONL here and now: an object with `id`, `text`, and what else is known of the document, in `metadata` or
 * beside it.
 */
export function readRow(bytes: Uint8Array): Row {
  let id: string | undefined;
  try {
    const line = decodeText(bytes).trim();
    if (line === "") return { blank: true };
    const row = parseRow(line);
    id = readId(row);
    return { document: toRowDocument(id, row) };
  } catch (thrown) {
    return { ...refusalOf(thrown), ...(id !== undefined && { documentId: id }) };
  }
}

function parseRow(line: string): Record<string, unknown> {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch (thrown) {
    throw new RaglineError("request_invalid", "is not valid JSON", { cause: thrown });
  }
  if (typeof row === "object" && row !== null && !Array.isArray(row)) return row as Record<string, unknown>;
  throw new RaglineError("request_invalid", "is not a JSON object");
}

function readId({ id, ...others }: Readonly<Record<string, unknown>>): string {
  if (typeof id === "number" && Number.isInteger(id) && !Number.isSafeInteger(id)) {
    const reason = "has an id that is a number beyond 2^53, which JSON does not keep exactly: write it as text";
    throw new RaglineError("request_invalid", reason);
  }
  if ((typeof id === "string" && id.trim() !== "") || typeof id === "number") return String(id).normalize("NFC");
  throw new RaglineError("request_invalid", `has no id${heldBeside(others)}`);
}

/** The fields under which a file may have what is missing. */
function heldBeside(fields: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(fields).slice(0, NAMES_SHOWN_MAX);
  return names.length === 0
    ? ""
    : ` (it has ${names.map((name) => JSON.stringify(beginning(name, NAME_SHOWN_MAX))).join(", ")})`;
}

function toRowDocument(id: string, row: Readonly<Record<string, unknown>>): SourceDocument {
  const { id: _, text, metadata, ...others } = row;
  if (text === undefined) throw new RaglineError("request_invalid", `has no text under "text"${heldBeside(row)}`);
  if (typeof text !== "string") throw new RaglineError("request_invalid", 'has something under "text" that is no text');
  const isNested = typeof metadata === "object" && metadata !== null && !Array.isArray(metadata);
  const fields = readFields(isNested || metadata === undefined ? others : { ...others, metadata });
  const nested = isNested ? readMetadata({ ...metadata }) : {};
  return toDocument({ id, text, format: "text", ...fields, metadata: { ...fields.metadata, ...nested } }, id);
}
