import { randomUUID } from "node:crypto";
import type { MutationResult } from "@zilliz/milvus2-sdk-node";
import { createBreather } from "../../breather.ts";
import type { ReplaceOptions } from "../../ports/passage-index.ts";
import type { CallOptions, Scope } from "../../types.ts";
import type { MilvusCall, MilvusConnection } from "./milvus-client.ts";
import { isMissingCollection, isUnreachable, tooLate } from "./milvus-failures.ts";
import type { MilvusLegs } from "./milvus-legs.ts";
import type { PassageRows } from "./milvus-passage-rows.ts";
import {
  type CollectionState,
  documentIdOf,
  KINDS,
  type MilvusRecords,
  ofKind,
  readState,
  type StoredRecord,
  stateId,
  stateRecord,
} from "./milvus-records.ts";
import { type DocumentWrite, isConditional, isRefused, type Write } from "./milvus-refused.ts";
import {
  documentRecord,
  type GenerationData,
  generationRecord,
  type NewVersion,
  passageIds,
  portions,
  type Staged,
  stage,
  tokensOf,
} from "./milvus-rows.ts";
import { readScanned } from "./milvus-scanned.ts";
import { type MilvusCollections, partOf, type WriteTarget } from "./milvus-schema.ts";
import type { CountChange, MilvusStatistics } from "./milvus-statistics.ts";
import { MilvusSweep, type SweepTuning } from "./milvus-sweep.ts";
import { averageLengthOf, hashOfDimension, type TermStatistics } from "./milvus-terms.ts";
import { hexOf, listOf, textOfHex } from "./milvus-values.ts";
import { isSame, type Space, spaceConflict } from "./vector-space.ts";
import { WriteQueue } from "./write-queue.ts";

/** What one Milvus is reached through. */
export interface MilvusParts {
  readonly connection: MilvusConnection;
  readonly collections: MilvusCollections;
  readonly records: MilvusRecords;
  readonly statistics: MilvusStatistics;
  readonly rows: PassageRows;
  readonly legs: MilvusLegs;
}

/** A write that takes long shows so often that it is alive: see `MilvusSweep`. */
const SIGN_OF_LIFE_MS = 20_000;
const BACKGROUND: CallOptions = { signal: new AbortController().signal };

/**
 * Writes of one tenant's collection, those that come meanwhile together. A version is stored under a generation that no search
 * shows; then the document's record names it, from one moment to the next: see `MilvusSearch`. Of two processes that write the
 * same document at once the later one counts. Milvus has no conditional writes: what a write may replace is looked at when all but
 * the commit is done, and another process's commit between that look and this commit is not seen.
 */
export class MilvusWrites {
  readonly #connection: MilvusConnection;
  readonly #collections: MilvusCollections;
  readonly #records: MilvusRecords;
  readonly #statistics: MilvusStatistics;
  readonly #rows: PassageRows;
  readonly #space: Space;
  readonly #noteOver: (generations: readonly string[]) => void;
  readonly #queue: WriteQueue<DocumentWrite>;
  readonly #sweep: MilvusSweep;

  constructor(
    parts: MilvusParts,
    space: Space,
    noteOver: (generations: readonly string[]) => void,
    sweeping: SweepTuning,
  ) {
    this.#connection = parts.connection;
    this.#collections = parts.collections;
    this.#records = parts.records;
    this.#statistics = parts.statistics;
    this.#rows = parts.rows;
    this.#space = space;
    this.#noteOver = noteOver;
    this.#sweep = new MilvusSweep(parts, space.dimensions, sweeping);
    this.#queue = new WriteQueue(
      (batch) => this.#write(batch),
      ({ version }) => version?.passages.length ?? 0,
      tooLate,
    );
  }

  async replace(scope: Scope, version: NewVersion, call: ReplaceOptions): Promise<void> {
    const { id } = version.document;
    const { readableOnly = false } = call;
    await this.#queue.add(id, { scope, documentId: id, version, readableOnly }, call);
  }

  /** False: there is no such document. */
  delete(scope: Scope, documentId: string, call: CallOptions): Promise<boolean> {
    return this.#queue.add(documentId, { scope, documentId, version: null, readableOnly: false }, call);
  }

  async settled(): Promise<void> {
    await this.#queue.settled();
    await this.#sweep.settled();
  }

  /** Beside everything else, now and then. */
  sweep(part: string): void {
    this.#sweep.now(part);
  }

  /** Once more where the connection was lost: under other generations, as what was sent may have arrived. */
  async #write(batch: readonly Write[]): Promise<void> {
    try {
      await this.#writeOnce(batch);
    } catch (thrown) {
      if (isMissingCollection(thrown)) this.#collections.forget();
      else if (!isUnreachable(thrown)) throw thrown;
      await this.#writeOnce(batch.filter(({ isLeft }) => !isLeft));
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
    const stagedOf = new Map<Write, Staged>();
    const pause = createBreather();
    for (const write of batch) {
      const { version } = write.what;
      if (version) stagedOf.set(write, stage(version, part, target.kind, this.#space, averageLength));
      await pause();
    }
    const inSeveral = await this.#stage(target, part, [...stagedOf.values()]);
    const latest = batch.some(isConditional) ? await this.#before(part, batch) : before;
    const writes = batch.filter((write) => !isRefused(write, latest.get(documentIdOf(part, write.what.documentId))));
    const staged = writes.flatMap((write) => stagedOf.get(write) ?? []);
    this.#noteOver(await this.#commit(target, part, state, { staged, inSeveral }, writes, latest));
    for (const { what, done } of writes) {
      done.resolve(what.version !== null || latest.has(documentIdOf(part, what.documentId)));
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
    const { tenant, collection } = scope;
    const { model, dimensions } = this.#space;
    const state = { id: known?.id ?? randomUUID(), tenant, collection, model, dimensions };
    if (known && isSame(known, this.#space)) return state;
    if (known && (await this.#records.count(ofKind(part, KINDS.document), true, BACKGROUND)) > 0) {
      throw spaceConflict(scope, known, this.#space);
    }
    return state;
  }

  /** Everything of the new generations, and first of all what is needed to delete them again. True: in several requests. */
  async #stage(target: WriteTarget, part: string, staged: readonly Staged[]): Promise<boolean> {
    if (staged.length === 0) return false;
    let aliveAt = Number.NEGATIVE_INFINITY;
    const showLife = async () => {
      if (performance.now() - aliveAt < SIGN_OF_LIFE_MS) return;
      aliveAt = performance.now();
      const ledger = staged.map(({ generation, version }) => {
        const data = this.#dataOf(version.document.id, version.passages.length);
        return generationRecord(part, generation, data, Date.now(), "begun");
      });
      await this.#records.put(target.records, ledger, BACKGROUND);
    };
    await showLife();
    const texts = staged.flatMap((one) => one.texts);
    for (const some of portions(texts, ({ data = "" }) => data.length)) {
      await this.#records.put(target.records, some, BACKGROUND);
    }
    const rows = staged.flatMap((one) => one.rows);
    let requests = 0;
    for (const data of portions(rows, (row) => String(row.content).length + 8 * this.#space.dimensions)) {
      const insert: MilvusCall<MutationResult> = (client, timeout) =>
        client.insert({ collection_name: target.passages, data: [...data], timeout });
      await this.#connection.change(() => this.#connection.once("Insert", insert, BACKGROUND), BACKGROUND);
      requests++;
      await showLife();
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
    const ledger = old.map(({ id, generation = "", passages = 0 }) => {
      const data = this.#dataOf(textOfHex(id.slice(id.lastIndexOf(":") + 1)), passages);
      return generationRecord(part, generation, data, now, "over");
    });
    const counts = this.#statistics.prepare(part, await this.#countChange(target, staged, old));
    const rest = [...ledger, ...counts.records, stateRecord(part, state)];
    this.#records.noteWrite(part);
    if (gone.length > 0) {
      await this.#records.put(target.records, [...ledger, stateRecord(part, state)], BACKGROUND);
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
      const rows = await this.#rows.byId(passages, passageIds(generation, size), [field], true, BACKGROUND);
      for (const row of rows.values()) {
        const hashes =
          kind === "sparse"
            ? Object.keys(row.words as object).map((dimension) => hashOfDimension(Number(dimension)))
            : readScanned(String(row.counts)).hashes;
        for (const hash of hashes) count(hash, -1);
      }
    }
    return change;
  }
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
