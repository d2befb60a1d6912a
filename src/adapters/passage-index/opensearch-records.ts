import { nonZero } from "../../statistics.ts";
import type { Document, DocumentEntry, Passage, PassageInput } from "../../types.ts";
import { documentKey } from "./opensearch-schema.ts";
import { type PassageTokens, writtenTerms } from "./opensearch-terms.ts";
import { sortableValues } from "./sortable-values.ts";

/** One version of one document, on its way in. */
export interface NewVersion {
  readonly generation: string;
  readonly document: Document;
  readonly passages: readonly PassageInput[];
  /** One a passage. */
  readonly tokens: readonly PassageTokens[];
}

/** What is read of a passage's record, and of a hit's vector in a sample. */
export interface PassageRecord {
  readonly generation: string;
  readonly document: string;
  readonly ordinal: number;
  readonly passage: Omit<Passage, "id" | "documentId">;
  readonly vector?: readonly number[];
}

export interface DocumentRecord {
  readonly generation: string;
  readonly document: string;
  readonly key: string;
  readonly passages: number;
  readonly tokens: number;
  readonly entry: Omit<DocumentEntry, "id" | "passages">;
}

/** Everyone of the tenant. */
const OPEN = "o";
const GROUP = "g:";

export function readersOf(groups: readonly string[]): string[] {
  return groups.length === 0 ? [OPEN] : groups.map(ofGroup);
}

/** Passages that a caller of these groups may read. */
export function readableBy(groups: readonly string[]): object {
  return { terms: { readers: [OPEN, ...groups.map(ofGroup)] } };
}

/** None for everyone's. */
export function groupOf(reader: string): string[] {
  return reader === OPEN ? [] : [reader.slice(GROUP.length)];
}

function ofGroup(group: string): string {
  return `${GROUP}${group}`;
}

/** The same for every try, so that a write that is repeated is the same write. */
export function recordId(key: string, generation: string, ordinal: number | "document"): string {
  return `${key}:${generation}:${ordinal}`;
}

/** The lines of a bulk request, two a record: the document's own, then its passages'. */
export function* bulkLines(version: NewVersion, averageLength: number, indexedAt: string): Generator<string> {
  const { generation, document, passages, tokens } = version;
  const key = documentKey(document.id);
  const readers = readersOf(document.groups);
  const { id, ...entry } = document;
  const common = { generation, document: id, key, readers };
  const length = tokens.reduce((sum, { length }) => sum + length, 0);
  yield line(recordId(key, generation, "document"), {
    ...common,
    kind: "document",
    passages: passages.length,
    tokens: length,
    entry: { indexedAt, ...entry },
  });
  const { title, url, metadata } = document;
  const found = { fields: Object.keys(metadata), meta: sortableValues(metadata) };
  for (const [ordinal, { vector, text, headings, tokens: count, page, pageEnd }] of passages.entries()) {
    const terms = tokens[ordinal];
    const known = nonZero(vector);
    yield line(recordId(key, generation, ordinal), {
      ...common,
      ...found,
      kind: "passage",
      ordinal,
      terms: terms ? writtenTerms(terms, averageLength) : "",
      ...(known && { vector: Array.from(known) }),
      passage: { title, headings, text, tokens: count, page, pageEnd, url, metadata },
    });
  }
}

function line(id: string, record: object): string {
  return `{"index":{"_id":${JSON.stringify(id)}}}\n${JSON.stringify(record)}\n`;
}

export function toPassage({ document, ordinal, passage }: PassageRecord): Passage {
  return { id: `${document}#${ordinal}`, documentId: document, ...passage };
}

export function toEntry({ document, passages, entry }: DocumentRecord): DocumentEntry {
  return { id: document, ...entry, passages };
}
