import { randomUUID } from "node:crypto";
import type { RowData } from "@zilliz/milvus2-sdk-node";
import { nonZero } from "../../statistics.ts";
import type { Document, PassageInput } from "../../types.ts";
import type { HashedTerms } from "./hashed-terms.ts";
import { documentIdOf, entryData, KINDS, passageContent, pieces, type StoredRecord, textId } from "./milvus-records.ts";
import { scannedCounts } from "./milvus-scanned.ts";
import { type TextKind, VARCHAR_BYTES_MAX } from "./milvus-schema.ts";
import { dimensionOf, passageWeights } from "./milvus-terms.ts";
import { hexOf, type StoredMetadata, storedReaders } from "./milvus-values.ts";
import type { Space } from "./vector-space.ts";

/** Of one request. */
const REQUEST_BYTES_MAX = 8_000_000;

/** A document on its way in, as it will be stored. */
export interface NewVersion {
  readonly document: Document;
  readonly passages: readonly PassageInput[];
  readonly terms: readonly HashedTerms[];
  readonly stored: StoredMetadata;
}

/** What is left of a generation once it is over, or if its write does not come to its end. */
export interface GenerationData {
  readonly document: string;
  readonly dimensions: number;
  readonly passages: number;
}

export interface Staged {
  readonly version: NewVersion;
  readonly generation: string;
  readonly rows: readonly RowData[];
  readonly texts: readonly StoredRecord[];
}

export function stage(
  version: NewVersion,
  part: string,
  kind: TextKind,
  { dimensions }: Space,
  averageLength: number,
): Staged {
  const { document, passages, terms, stored } = version;
  const generation = `${Date.now().toString(36)}-${randomUUID()}`;
  const ids = passageIds(generation, passages.length);
  const common = {
    part,
    generation,
    document: hexOf(document.id),
    ...storedReaders(document.groups),
    meta: [...stored.meta],
    sorted: stored.sorted as unknown as RowData,
  };
  const texts: StoredRecord[] = [];
  const rows = passages.map((passage, ordinal): RowData => {
    const id = ids[ordinal] ?? "";
    const { counts, length } = terms[ordinal] ?? { counts: new Map<number, number>(), length: 1 };
    const vector = nonZero(passage.vector);
    return {
      ...common,
      id,
      ordinal,
      embedded: vector !== null,
      content: fitted(id, part, generation, passageContent(document, passage), texts),
      vector: Array.from(vector ?? placeholder(id, dimensions)),
      ...(kind === "sparse"
        ? { words: counts.size > 0 ? passageWeights(counts, length, averageLength) : NO_WORDS }
        : { terms: [...counts.keys()].map(dimensionOf), counts: scannedCounts(counts, length) }),
    };
  });
  return { version, generation, rows, texts };
}

/** A sparse vector must have a value; this one adds nothing to any score. */
const NO_WORDS = { 0: 1e-9 };

/** What fits into a row, or how many records it is in. */
function fitted(id: string, part: string, generation: string, content: string, texts: StoredRecord[]): string {
  if (Buffer.byteLength(content) <= VARCHAR_BYTES_MAX) return content;
  const parts = pieces(content, VARCHAR_BYTES_MAX);
  for (const [n, data] of parts.entries()) {
    texts.push({ id: textId(part, id, n), part, kind: KINDS.text, generation, data });
  }
  return `+${parts.length}`;
}

/** Stands where a passage has no vector, and is never compared: spread out, as equal vectors spoil the graph. */
function placeholder(seed: string, dimensions: number): Float32Array {
  const vector = new Float32Array(dimensions);
  let state = Number.parseInt(hexOf(seed).slice(-8), 16) % 2_147_483_647 || 1;
  for (let i = 0; i < dimensions; i++) {
    state = (state * 48_271) % 2_147_483_647;
    vector[i] = state / 2_147_483_647 - 0.5;
  }
  return vector;
}

export function passageIds(generation: string, passages: number): string[] {
  return Array.from({ length: passages }, (_, ordinal) => `${generation}:${ordinal}`);
}

/** What `passageIds` made. */
export function placeOfPassage(id: string): { readonly generation: string; readonly ordinal: number } {
  const end = id.lastIndexOf(":");
  return { generation: id.slice(0, end), ordinal: Number(id.slice(end + 1)) };
}

export function documentRecord(part: string, { version, generation }: Staged, indexedAt: string): StoredRecord {
  const { document, passages, stored } = version;
  return {
    id: documentIdOf(part, document.id),
    part,
    kind: KINDS.document,
    generation,
    passages: passages.length,
    tokens: tokensOf(version),
    ...storedReaders(document.groups),
    meta: stored.meta,
    data: entryData(document, indexedAt),
  };
}

/**
 * Names what is to be deleted if no document names the generation: `begun`, before its first row is written; `over`, as another one
 * takes its place. Two records: who finds the one of no use any more, and deletes it, may do so while the other is written.
 */
export function generationRecord(
  part: string,
  generation: string,
  data: GenerationData,
  at: number,
  why: "begun" | "over",
): StoredRecord {
  const id = `${part}:${KINDS.generation}:${generation}:${why}`;
  return { id, part, kind: KINDS.generation, generation, at, data: JSON.stringify(data) };
}

export function tokensOf({ terms }: NewVersion): number {
  return terms.reduce((sum, { length }) => sum + length, 0);
}

/** In portions of so many bytes, by an estimate. */
export function* portions<T>(all: readonly T[], sizeOf: (one: T) => number): Generator<T[]> {
  let some: T[] = [];
  let size = 0;
  for (const one of all) {
    some.push(one);
    size += sizeOf(one);
    if (size < REQUEST_BYTES_MAX) continue;
    yield some;
    some = [];
    size = 0;
  }
  if (some.length > 0) yield some;
}
