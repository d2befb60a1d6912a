import { RaglineError } from "../errors.ts";
import { type Refusal, readFields, readMetadata, refusalOf, type SourceDocument, toDocument } from "./document.ts";
import { decodeText } from "./encoding.ts";

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
    id = readId(row.id);
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

function readId(id: unknown): string {
  if ((typeof id === "string" && id.trim() !== "") || typeof id === "number") return String(id).normalize("NFC");
  throw new RaglineError("request_invalid", "has no id");
}

function toRowDocument(id: string, row: Readonly<Record<string, unknown>>): SourceDocument {
  const { id: _, text, metadata, ...others } = row;
  if (typeof text !== "string") throw new RaglineError("request_invalid", "has no text");
  const isNested = typeof metadata === "object" && metadata !== null && !Array.isArray(metadata);
  const fields = readFields(isNested || metadata === undefined ? others : { ...others, metadata });
  const nested = isNested ? readMetadata({ ...metadata }) : {};
  return toDocument({ id, text, format: "text", ...fields, metadata: { ...fields.metadata, ...nested } }, id);
}
