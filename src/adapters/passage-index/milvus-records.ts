import { randomUUID } from "node:crypto";
import type { MutationResult, RowData } from "@zilliz/milvus2-sdk-node";
import { RaglineError } from "../../errors.ts";
import type { CallOptions, Document, DocumentEntry, Passage, PassageInput } from "../../types.ts";
import type { MilvusCall, MilvusConnection } from "./milvus-client.ts";
import { isMissingCollection } from "./milvus-failures.ts";
import { LIMIT_MAX, type MilvusCollections } from "./milvus-schema.ts";
import { digest, hexOf, tenantMark, textOfHex } from "./milvus-values.ts";
import type { Space } from "./vector-space.ts";

/** What a record is: the state of a tenant's collection, one of its documents, … */
export const KINDS = {
  state: "s",
  document: "d",
  fusion: "f",
  words: "w",
  generation: "g",
  text: "t",
  claim: "l",
} as const;

export interface StoredRecord {
  readonly id: string;
  readonly part: string;
  readonly kind: string;
  readonly generation?: string;
  /** When it was written, in milliseconds since 1970, by the clock of who wrote it. */
  readonly at?: number;
  readonly passages?: number;
  /** Search tokens of all its passages. */
  readonly tokens?: number;
  readonly open?: boolean;
  readonly readers?: readonly string[];
  readonly meta?: readonly string[];
  readonly data?: string;
}

export type RecordField = keyof StoredRecord;

export interface RecordQuery {
  readonly filter: string;
  readonly fields: readonly RecordField[];
  /** Only what is true now; else what was true some seconds ago may do. */
  readonly isStrong: boolean;
  readonly limit?: number;
  /** By id. */
  readonly isOrdered?: boolean;
}

/** A session that is younger asks for what is true now: Milvus's own bound of staleness is five seconds. */
const OWN_WRITE_MS = 10_000;
export const COUNT = "count(*)";

/** Everything that is no passage, in one Milvus collection. */
export class MilvusRecords {
  readonly #connection: MilvusConnection;
  readonly #collections: MilvusCollections;
  readonly #isStrong: boolean;
  readonly #writtenAt = new Map<string, number>();

  constructor(connection: MilvusConnection, collections: MilvusCollections, isStrong: boolean) {
    this.#connection = connection;
    this.#collections = collections;
    this.#isStrong = isStrong;
  }

  /** Whether reading what this process wrote takes asking for what is true now. */
  isStrong(part: string): boolean {
    return this.#isStrong || performance.now() - (this.#writtenAt.get(part) ?? Number.NEGATIVE_INFINITY) < OWN_WRITE_MS;
  }

  noteWrite(part: string): void {
    this.#writtenAt.set(part, performance.now());
  }

  /** Nothing where nothing was ever written. */
  async find(query: RecordQuery, call: CallOptions): Promise<StoredRecord[]> {
    const { filter, fields, isStrong, limit = LIMIT_MAX, isOrdered = false } = query;
    const kind = await this.#collections.textKind(call);
    if (!kind) return [];
    const message = {
      collection: this.#collections.records(kind),
      filter,
      fields: fields.includes("id") ? fields : ["id", ...fields],
      // Real servers give the first ones by id in any case; Milvus Lite when it is told that somebody pages.
      params: { limit, ...(isOrdered && { iterator: "True", reduce_stop_for_best: "True" }) },
      isStrong,
    };
    try {
      return (await this.#connection.query(message, call)).rows as unknown as StoredRecord[];
    } catch (thrown) {
      return this.nothingIfMissing(thrown, []);
    }
  }

  /** All of them, by id, however many. */
  async findAll(query: Omit<RecordQuery, "limit" | "isOrdered">, call: CallOptions): Promise<StoredRecord[]> {
    const all: StoredRecord[] = [];
    for (let after = ""; ; ) {
      const filter = `${query.filter} and id > "${after}"`;
      const page = await this.find({ ...query, filter, limit: PAGE, isOrdered: true }, call);
      all.push(...page);
      after = page.at(-1)?.id ?? "";
      if (page.length < PAGE) return all;
    }
  }

  async count(filter: string, isStrong: boolean, call: CallOptions): Promise<number> {
    const kind = await this.#collections.textKind(call);
    if (!kind) return 0;
    const message = { collection: this.#collections.records(kind), filter, fields: [COUNT], params: {}, isStrong };
    try {
      return Number((await this.#connection.query(message, call)).rows[0]?.[COUNT] ?? 0);
    } catch (thrown) {
      return this.nothingIfMissing(thrown, 0);
    }
  }

  async put(collection_name: string, records: readonly StoredRecord[], call: CallOptions): Promise<void> {
    if (records.length === 0) return;
    const data = records.map(recordRow);
    const upsert: MilvusCall<MutationResult> = (client, timeout) => client.upsert({ collection_name, data, timeout });
    await this.#connection.change(() => this.#connection.request("Upsert", upsert, call), call);
  }

  async remove(collection_name: string, ids: readonly string[], call: CallOptions): Promise<void> {
    if (ids.length === 0) return;
    const remove: MilvusCall<MutationResult> = (client, timeout) =>
      client.delete({ collection_name, ids: [...ids], timeout });
    await this.#connection.change(() => this.#connection.loaded(collection_name, "Delete", remove, call), call);
  }

  /** Somebody has dropped the collection: it is as if it had never been. */
  nothingIfMissing<T>(thrown: unknown, nothing: T): T {
    if (!isMissingCollection(thrown)) throw thrown;
    this.#collections.forget();
    return nothing;
  }
}

const PAGE = 1000;

function recordRow({
  id,
  part,
  kind,
  generation = "",
  at = 0,
  passages = 0,
  tokens = 0,
  open = false,
  readers = [],
  meta = [],
  data = "",
}: StoredRecord): RowData {
  return {
    id,
    part,
    kind,
    generation,
    at,
    passages,
    tokens,
    open,
    readers: [...readers],
    meta: [...meta],
    data,
    unused: [0, 0],
  };
}

/** A tenant's collection as a whole. */
export interface CollectionState extends Space {
  /** Another collection of the same name, before or after, has another. */
  readonly id: string;
  readonly tenant: string;
  readonly collection: string;
}

export function stateId(part: string): string {
  return `${part}:${KINDS.state}`;
}

/** What tells spaces and versions apart is short, as it is read with every search. */
export function stateRecord(part: string, state: CollectionState): StoredRecord {
  const version = randomUUID().slice(0, 23);
  const generation = `${spaceKey(state)}:${version}`;
  const [meta, data] = [[tenantMark(state.tenant)], JSON.stringify(state)];
  return { id: stateId(part), part, kind: KINDS.state, generation, at: Date.now(), meta, data };
}

export function readState(record: StoredRecord | undefined): CollectionState | null {
  return record?.data ? (JSON.parse(record.data) as CollectionState) : null;
}

export function isOfSpace({ generation = "" }: StoredRecord, space: Space): boolean {
  return generation.startsWith(spaceKey(space));
}

function spaceKey({ model, dimensions }: Space): string {
  return digest(JSON.stringify([model, dimensions]));
}

/** Ordered as documents' ids are in UTF-8. */
export function documentIdOf(part: string, documentId: string): string {
  return `${part}:${KINDS.document}:${hexOf(documentId)}`;
}

/** Of one piece of a passage's content. */
export function textId(part: string, passage: string, n: number): string {
  return `${part}:${KINDS.text}:${passage}:${n}`;
}

export function ofKind(part: string, kind: string): string {
  return `part == "${part}" and kind == "${kind}"`;
}

export function toEntry({ id, passages = 0, data = "" }: StoredRecord): DocumentEntry {
  const entry = JSON.parse(data) as Omit<DocumentEntry, "id" | "passages">;
  return { id: textOfHex(id.slice(id.lastIndexOf(":") + 1)), ...entry, passages };
}

/** Of the document record. @throws RaglineError `request_invalid`: more than Milvus can hold */
export function entryData({ id, ...entry }: Document, indexedAt: string): string {
  return JSON.stringify({ indexedAt, ...entry });
}

/** What of a passage is not searched. */
export function passageContent({ title, url, metadata }: Document, { vector, ...passage }: PassageInput): string {
  const { text, headings, tokens, page, pageEnd } = passage;
  return JSON.stringify({ title, headings, text, tokens, page, pageEnd, url, metadata });
}

export function toPassage(document: string, ordinal: number, content: string): Passage {
  const documentId = textOfHex(document);
  const rest = JSON.parse(content) as Omit<Passage, "id" | "documentId">;
  return { id: `${documentId}#${ordinal}`, documentId, ...rest };
}

/** In pieces of so many bytes at most, each of whole characters. */
export function pieces(text: string, bytesMax: number): string[] {
  const bytes = Buffer.from(text, "utf8");
  const parts: string[] = [];
  for (let from = 0; from < bytes.length; ) {
    let to = Math.min(from + bytesMax, bytes.length);
    while (to < bytes.length && ((bytes[to] ?? 0) & 0xc0) === 0x80) to--;
    parts.push(bytes.toString("utf8", from, to));
    from = to;
  }
  return parts;
}

/** @returns RaglineError `request_invalid` */
export function invalid(problem: string): RaglineError {
  return new RaglineError("request_invalid", `${problem}.`);
}
