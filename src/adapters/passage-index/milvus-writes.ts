import { randomUUID } from "node:crypto";
import type { RowData } from "@zilliz/milvus2-sdk-node";
import { createBreather } from "../../breather.ts";
import type { CallOptions, Document, PassageInput, Scope } from "../../types.ts";
import type { HashedTerms } from "./hashed-terms.ts";
import type { MilvusConnection } from "./milvus-client.ts";
import { isMissingCollection, isUnreachable, tooLate } from "./milvus-failures.ts";
import { type MilvusLegs, scannedCounts, scannedHashes } from "./milvus-legs.ts";
import {
  type CollectionState,
  documentIdOf,
  entryData,
  KINDS,
  type MilvusRecords,
  ofKind,
  passageContent,
  pieces,
  readState,
  type StoredRecord,
  stateId,
  stateRecord,
  textId,
} from "./milvus-records.ts";
import { type MilvusCollections, partOf, VARCHAR_BYTES_MAX, type WriteTarget } from "./milvus-schema.ts";
import type { CountChange, MilvusStatistics } from "./milvus-statistics.ts";
import { averageLengthOf, dimensionOf, hashOfDimension, passageWeights, type TermStatistics } from "./milvus-terms.ts";
import { hexOf, listOf, type StoredMetadata, storedReaders, textOfHex } from "./milvus-values.ts";
import { isSame, type Space, spaceConflict } from "./vector-space.ts";
import { type QueuedWrite, WriteQueue } from "./write-queue.ts";

/** A document on its way in, as it will be stored. */
export interface NewVersion {
  readonly document: Document;
  readonly passages: readonly PassageInput[];
  readonly terms: readonly HashedTerms[];
  readonly stored: StoredMetadata;
}

interface DocumentWrite {
  readonly scope: Scope;
  readonly documentId: string;
  /** Null: the document goes. */
  readonly version: NewVersion | null;
}

type Write = QueuedWrite<DocumentWrite>;

/** What one Milvus is reached through. */
export interface MilvusParts {
  readonly connection: MilvusConnection;
  readonly collections: MilvusCollections;
  readonly records: MilvusRecords;
  readonly statistics: MilvusStatistics;
  readonly legs: MilvusLegs;
}

/** What is left of a generation once it is over, or if its write does not come to its end. */
interface GenerationData {
  readonly document: string;
  readonly dimensions: number;
  readonly passages: number;
}

interface Staged {
  readonly write: Write;
  readonly version: NewVersion;
  readonly generation: string;
  readonly rows: readonly RowData[];
  readonly texts: readonly StoredRecord[];
}

/** A write that has not committed for so long is dead; what is over stays for so long, for searches that began before. */
const GRACE_MS = 90_000;
const SWEEP_PAUSE_MS = 30_000;
const SWEPT_MAX = 500;
/** Of one request. */
const REQUEST_BYTES_MAX = 8_000_000;
const BACKGROUND: CallOptions = { signal: new AbortController().signal };

/**
 * Writes of one tenant's collection, those that come meanwhile together. A version is stored under a generation that no search
 * shows; then the document's record names it, from one moment to the next: see `MilvusSearch`. Of two processes that write the
 * same document at once the later one counts.
 */
export class MilvusWrites {
  readonly #connection: MilvusConnection;
  readonly #collections: MilvusCollections;
  readonly #records: MilvusRecords;
  readonly #statistics: MilvusStatistics;
  readonly #legs: MilvusLegs;
  readonly #space: Space;
  readonly #noteOver: (generations: readonly string[]) => void;
  readonly #queue: WriteQueue<DocumentWrite>;
  #sweeping: Promise<void> | null = null;
  #sweptAt = performance.now();

  constructor(parts: MilvusParts, space: Space, noteOver: (generations: readonly string[]) => void) {
    this.#connection = parts.connection;
    this.#collections = parts.collections;
    this.#records = parts.records;
    this.#statistics = parts.statistics;
    this.#legs = parts.legs;
    this.#space = space;
    this.#noteOver = noteOver;
    this.#queue = new WriteQueue(
      (batch) => this.#write(batch),
      ({ version }) => version?.passages.length ?? 0,
      tooLate,
    );
  }

  async replace(scope: Scope, version: NewVersion, call: CallOptions): Promise<void> {
    const { id } = version.document;
    await this.#queue.add(id, { scope, documentId: id, version }, call);
  }

  /** False: there is no such document. */
  delete(scope: Scope, documentId: string, call: CallOptions): Promise<boolean> {
    return this.#queue.add(documentId, { scope, documentId, version: null }, call);
  }

  async settled(): Promise<void> {
    await this.#queue.settled();
    await this.#sweeping;
  }

  /** Once more where the connection was lost: under other generations, as what was sent may have arrived. */
  async #write(batch: readonly Write[]): Promise<void> {
    try {
      await this.#writeOnce(batch);
    } catch (thrown) {
      if (isMissingCollection(thrown)) this.#collections.forget();
      else if (!isUnreachable(thrown)) throw thrown;
      await this.#writeOnce(batch);
    }
  }

  async #writeOnce(batch: readonly Write[]): Promise<void> {
    const [first] = batch;
    if (!first) return;
    const { scope } = first.what;
    const part = partOf(scope);
    const target = await this.#collections.ensure(this.#space.dimensions, BACKGROUND);
    const [before, statistics] = await Promise.all([this.#before(part, batch), this.#statistics.of(part, BACKGROUND)]);
    const state = await this.#stateFor(scope, readState(before.get(stateId(part))));
    const averageLength = averageOf(statistics, batch);
    const staged: Staged[] = [];
    const pause = createBreather();
    for (const write of batch) {
      const { version } = write.what;
      if (version) staged.push(stage(write, version, part, target, this.#space, averageLength));
      await pause();
    }
    const inSeveral = await this.#stage(target, part, staged);
    this.#noteOver(await this.#commit(target, part, state, { staged, inSeveral }, batch, before));
    for (const { what, done } of batch) {
      done.resolve(what.version !== null || before.has(documentIdOf(part, what.documentId)));
    }
    this.sweep(part);
  }

  /** The collection's record and the documents', as they are now. */
  async #before(part: string, batch: readonly Write[]): Promise<Map<string, StoredRecord>> {
    const ids = [stateId(part), ...batch.map(({ what }) => documentIdOf(part, what.documentId))];
    const fields = ["part", "kind", "generation", "passages", "data"] as const;
    const found = await this.#records.find({ filter: `id in ${listOf(ids)}`, fields, isStrong: true }, BACKGROUND);
    return new Map(found.map((record) => [record.id, record]));
  }

  /** A collection without documents takes over the writer's space. @throws RaglineError `conflict` */
  async #stateFor(scope: Scope, known: CollectionState | null): Promise<CollectionState> {
    const part = partOf(scope);
    if (known && isSame(known, this.#space)) return known;
    if (known && (await this.#records.count(ofKind(part, KINDS.document), true, BACKGROUND)) > 0) {
      throw spaceConflict(scope, known, this.#space);
    }
    return { id: known?.id ?? randomUUID(), model: this.#space.model, dimensions: this.#space.dimensions };
  }

  /** Everything of the new generations, and first of all what is needed to delete them again. True: in several requests. */
  async #stage(target: WriteTarget, part: string, staged: readonly Staged[]): Promise<boolean> {
    if (staged.length === 0) return false;
    const at = Date.now();
    const ledger = staged.map(({ generation, version }) =>
      generationRecord(part, generation, this.#dataOf(version.document.id, version.passages.length), at),
    );
    await this.#records.put(target.records, ledger, BACKGROUND);
    const texts = staged.flatMap((one) => one.texts);
    for (const some of portions(texts, ({ data = "" }) => data.length)) {
      await this.#records.put(target.records, some, BACKGROUND);
    }
    const rows = staged.flatMap((one) => one.rows);
    let requests = 0;
    for (const data of portions(rows, (row) => String(row.content).length + 8 * this.#space.dimensions)) {
      await this.#connection.once(
        "Insert",
        (client, timeout) => client.insert({ collection_name: target.passages, data: [...data], timeout }),
        BACKGROUND,
      );
      requests++;
    }
    return requests > 1;
  }

  /** One request, on one channel: who sees one of its records sees all. Returns the generations that are over. */
  async #commit(
    target: WriteTarget,
    part: string,
    state: CollectionState,
    { staged, inSeveral }: { readonly staged: readonly Staged[]; readonly inSeveral: boolean },
    batch: readonly Write[],
    before: ReadonlyMap<string, StoredRecord>,
  ): Promise<string[]> {
    const now = Date.now();
    const indexedAt = new Date(now).toISOString();
    const documents = staged.map((one) => ({ ...documentRecord(part, one, indexedAt), at: inSeveral ? now : 0 }));
    const old = batch.flatMap(({ what }) => before.get(documentIdOf(part, what.documentId)) ?? []);
    const gone = batch.filter(({ what }) => what.version === null && before.has(documentIdOf(part, what.documentId)));
    if (documents.length === 0 && gone.length === 0) return [];
    const ledger = old.map(({ id, generation = "", passages = 0 }) =>
      generationRecord(part, generation, this.#dataOf(textOfHex(id.slice(id.lastIndexOf(":") + 1)), passages), now),
    );
    const counts = this.#statistics.prepare(part, await this.#countChange(target, staged, old));
    const rest = [...ledger, ...counts.records, stateRecord(part, state)];
    this.#records.noteWrite(part);
    if (gone.length > 0) {
      await this.#records.put(target.records, [stateRecord(part, state)], BACKGROUND);
      const ids = gone.map(({ what }) => documentIdOf(part, what.documentId));
      await this.#records.remove(target.records, ids, BACKGROUND);
    }
    await this.#records.put(target.records, [...documents, ...rest], BACKGROUND);
    this.#records.noteWrite(part);
    counts.noted();
    return old.map(({ generation = "" }) => generation);
  }

  #dataOf(document: string, passages: number): GenerationData {
    return { document: hexOf(document), dimensions: this.#space.dimensions, passages };
  }

  async #countChange(
    { kind, passages }: WriteTarget,
    staged: readonly Staged[],
    old: readonly StoredRecord[],
  ): Promise<CountChange> {
    const change: CountChange = { passages: 0, tokens: 0, frequencies: new Map() };
    const count = (hash: number, by: number) => change.frequencies.set(hash, (change.frequencies.get(hash) ?? 0) + by);
    for (const { version } of staged) {
      change.passages += version.passages.length;
      change.tokens += tokensOf(version);
      for (const { counts } of version.terms) for (const hash of counts.keys()) count(hash, 1);
    }
    for (const { generation = "", passages: size = 0, tokens = 0 } of old) {
      change.passages -= size;
      change.tokens -= tokens;
      const field = kind === "sparse" ? "words" : "counts";
      const rows = await this.#legs.rows(passages, passageIds(generation, size), [field], true, BACKGROUND);
      for (const row of rows.values()) {
        const hashes =
          kind === "sparse"
            ? Object.keys(row.words as object).map((dimension) => hashOfDimension(Number(dimension)))
            : scannedHashes(String(row.counts));
        for (const hash of hashes) count(hash, -1);
      }
    }
    return change;
  }

  /** Beside everything else, now and then: deletes what is long over. What is not done the next one does. */
  sweep(part: string): void {
    if (this.#sweeping || performance.now() - this.#sweptAt < SWEEP_PAUSE_MS) return;
    this.#sweptAt = performance.now();
    this.#sweeping = this.#swept(part)
      .catch(() => undefined)
      .finally(() => {
        this.#sweeping = null;
      });
  }

  async #swept(part: string): Promise<void> {
    const { kind, records } = await this.#collections.ensure(this.#space.dimensions, BACKGROUND);
    const filter = `${ofKind(part, KINDS.generation)} and at < ${Date.now() - GRACE_MS}`;
    const query = { filter, fields: ["generation", "data"], isStrong: true, limit: SWEPT_MAX } as const;
    const ledger = (await this.#records.find(query, BACKGROUND)).map(({ id, generation = "", data = "" }) => ({
      id,
      generation,
      ...(JSON.parse(data) as GenerationData),
    }));
    if (ledger.length > 0) {
      const ids = ledger.map(({ document }) => `${part}:${KINDS.document}:${document}`);
      const documents = {
        filter: `id in ${listOf([...new Set(ids)])}`,
        fields: ["generation"],
        isStrong: true,
      } as const;
      const current = new Set((await this.#records.find(documents, BACKGROUND)).map(({ generation }) => generation));
      const over = ledger.filter(({ generation }) => !current.has(generation));
      for (const { generation, dimensions, passages } of over) {
        const name = this.#collections.passages(dimensions, kind);
        await this.#records.remove(name, passageIds(generation, passages), BACKGROUND);
      }
      if (over.length > 0)
        await this.#removeTexts(
          part,
          records,
          over.map(({ generation }) => generation),
        );
      await this.#records.remove(
        records,
        ledger.map(({ id }) => id),
        BACKGROUND,
      );
    }
    await this.#statistics.compact(part, records, BACKGROUND);
  }

  async #removeTexts(part: string, records: string, generations: readonly string[]): Promise<void> {
    const filter = `${ofKind(part, KINDS.text)} and generation in ${listOf(generations)}`;
    const texts = await this.#records.findAll({ filter, fields: ["id"], isStrong: true }, BACKGROUND);
    await this.#records.remove(
      records,
      texts.map(({ id }) => id),
      BACKGROUND,
    );
  }
}

function stage(
  write: Write,
  version: NewVersion,
  part: string,
  { kind }: WriteTarget,
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
    const isEmbedded = passage.vector?.some((value) => value !== 0) ?? false;
    return {
      ...common,
      id,
      ordinal,
      embedded: isEmbedded,
      content: fitted(id, part, generation, passageContent(document, passage), texts),
      vector: Array.from(isEmbedded && passage.vector ? passage.vector : placeholder(id, dimensions)),
      ...(kind === "sparse"
        ? { words: counts.size > 0 ? passageWeights(counts, length, averageLength) : NO_WORDS }
        : { terms: [...counts.keys()].map(dimensionOf), counts: scannedCounts(counts, length) }),
    };
  });
  return { write, version, generation, rows, texts };
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

function passageIds(generation: string, passages: number): string[] {
  return Array.from({ length: passages }, (_, ordinal) => `${generation}:${ordinal}`);
}

function documentRecord(part: string, { version, generation }: Staged, indexedAt: string): StoredRecord {
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

function generationRecord(part: string, generation: string, data: GenerationData, at: number): StoredRecord {
  const id = `${part}:${KINDS.generation}:${generation}`;
  return { id, part, kind: KINDS.generation, generation, at, data: JSON.stringify(data) };
}

function tokensOf({ terms }: NewVersion): number {
  return terms.reduce((sum, { length }) => sum + length, 0);
}

/** Of the collection as it was, and of what comes. */
function averageOf(statistics: TermStatistics, batch: readonly Write[]): number {
  let { passages, tokens } = statistics;
  for (const { what } of batch) {
    passages += what.version?.passages.length ?? 0;
    tokens += what.version ? tokensOf(what.version) : 0;
  }
  return averageLengthOf({ passages, tokens });
}

/** In portions of so many bytes, by an estimate. */
function* portions<T>(all: readonly T[], sizeOf: (one: T) => number): Generator<T[]> {
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
