import { RaglineError } from "../errors.ts";
import type { Fusion, StoredPassage } from "../ports/fusion-store.ts";
import type { SearchQuery, SearchResult } from "../ports/passage-index.ts";
import type { Document, DocumentEntry, PassageInput, Scope, ScoredPassage } from "../types.ts";
import { type PassageMessage, passageFrom, passageMessage } from "./passages.ts";
import { filterFrom, metadataFrom, type Struct, structOf } from "./values.ts";
import { hasNumbers, packed, unpackedOne } from "./vectors.ts";

/** A vector space: its name, and the length of its vectors. */
export interface Space {
  readonly model: string;
  readonly dimensions: number;
}

export interface ScopeMessage extends Scope {
  readonly space: Space | null;
}

export interface ScopeRequest {
  readonly scope: ScopeMessage | null;
}

export interface SearchRequest extends ScopeRequest {
  readonly vector?: Uint8Array;
  readonly text?: string;
  readonly limit: number;
  readonly filter: Struct | null;
}

interface LegMessage {
  readonly indices: readonly number[];
  readonly scores: readonly number[];
}

export interface SearchResponse {
  readonly passages: readonly PassageMessage[];
  readonly byVector: LegMessage | null;
  readonly byText: LegMessage | null;
}

type DocumentMessage = Omit<Document, "metadata"> & { readonly metadata: Struct | null };

export interface DocumentEntryMessage {
  readonly document: DocumentMessage | null;
  readonly passages: number;
  readonly indexedAt: string;
}

type WithBytes<T extends { readonly vector: unknown }> = Omit<T, "vector"> & { readonly vector?: Uint8Array };
export type PassageInputMessage = WithBytes<PassageInput>;
export type StoredPassageMessage = WithBytes<StoredPassage>;

export interface FusionMessage extends Omit<Fusion, "weights"> {
  readonly ko: Fusion["weights"]["ko"] | null;
  readonly en: Fusion["weights"]["en"] | null;
  readonly other: Fusion["weights"]["other"] | null;
}

export function searchMessage({ vector, text, limit, filter }: SearchQuery): Omit<SearchRequest, "scope"> {
  return {
    limit,
    ...(vector && { vector: packed([vector]) }),
    ...(text !== undefined && { text }),
    filter: filter ? structOf(filter) : null,
  };
}

export function searchFrom({ vector, text, limit, filter }: SearchRequest): SearchQuery {
  return {
    limit,
    ...(vector && { vector: finite(vector, "vector") }),
    ...(text !== undefined && { text }),
    ...(filter && { filter: filterFrom(filter) }),
  };
}

/** A passage that both legs found travels once. */
export function resultMessage({ byVector, byText }: SearchResult): SearchResponse {
  const places = new Map<string, number>();
  const passages: PassageMessage[] = [];
  const leg = (hits: readonly ScoredPassage[]): LegMessage => {
    const indices = hits.map(({ passage }) => {
      const known = places.get(passage.id);
      if (known !== undefined) return known;
      places.set(passage.id, passages.length);
      return passages.push(passageMessage(passage)) - 1;
    });
    return { indices, scores: hits.map(({ score }) => score) };
  };
  return { byVector: leg(byVector), byText: leg(byText), passages };
}

export function resultFrom({ passages, byVector, byText }: SearchResponse): SearchResult {
  const all = passages.map(passageFrom);
  const leg = (hits: LegMessage | null): ScoredPassage[] =>
    (hits?.indices ?? []).flatMap((index, i) => {
      const [passage, score] = [all[index], hits?.scores[i]];
      return passage && score !== undefined ? [{ passage, score }] : [];
    });
  return { byVector: leg(byVector), byText: leg(byText) };
}

export function documentMessage(document: Document): DocumentMessage {
  return { ...document, metadata: structOf(document.metadata) };
}

export function documentFrom(message: DocumentMessage): Document {
  const { id, title, hash, groups, url, source, metadata } = message;
  return {
    id,
    title,
    ...(url !== undefined && { url }),
    hash,
    metadata: metadataFrom(metadata),
    groups,
    ...(source !== undefined && { source }),
  };
}

export function entryMessage({ passages, indexedAt, ...document }: DocumentEntry): DocumentEntryMessage {
  return { document: documentMessage(document), passages, indexedAt };
}

export function entryFrom({ document, passages, indexedAt }: DocumentEntryMessage): DocumentEntry | null {
  return document && { ...documentFrom(document), passages, indexedAt };
}

export function withBytes<T extends { readonly vector: Float32Array | null }>(item: T): WithBytes<T> {
  const { vector, ...rest } = item;
  return { ...rest, ...(vector && { vector: packed([vector]) }) };
}

export function vectorFrom({ vector }: { readonly vector?: Uint8Array }): Float32Array | null {
  return vector ? finite(vector, "passage.vector") : null;
}

export function passageInputFrom(message: PassageInputMessage): PassageInput {
  const { text, headings, tokens, page, pageEnd } = message;
  const pages = { ...(page !== undefined && { page }), ...(pageEnd !== undefined && { pageEnd }) };
  return { text, headings, tokens, vector: vectorFrom(message), ...pages };
}

export function storedPassageFrom(message: StoredPassageMessage): StoredPassage {
  const { title, headings, text } = message;
  return { title, headings, text, vector: vectorFrom(message) };
}

export function fusionMessage({ weights, ...learned }: Fusion): FusionMessage {
  return { ...learned, ...weights };
}

export function fusionFrom({ version, embedder, passages, ko, en, other }: FusionMessage): Fusion | null {
  return ko && en && other ? { version, embedder, passages, weights: { ko, en, other } } : null;
}

/** @throws RaglineError `request_invalid` */
function finite(bytes: Uint8Array, field: string): Float32Array {
  const vector = unpackedOne(bytes);
  if (hasNumbers(vector)) return vector;
  throw new RaglineError("request_invalid", `${field}: holds values that are no numbers`);
}
