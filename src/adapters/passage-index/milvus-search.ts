import { RaglineError } from "../../errors.ts";
import type { SearchQuery, SearchResult } from "../../ports/passage-index.ts";
import type { Stem } from "../../text/tokens.ts";
import type { CallOptions, Passage, Scope } from "../../types.ts";
import { hashedQuery } from "./hashed-terms.ts";
import { MilvusConditions } from "./milvus-conditions.ts";
import { type Found, hitsOf, type Known, noteVersions, ofKnownVersions, resultOf } from "./milvus-found.ts";
import { KnownPassages } from "./milvus-known-passages.ts";
import { HITS_MAX, type MilvusLegs } from "./milvus-legs.ts";
import type { PassageRows } from "./milvus-passage-rows.ts";
import {
  invalid,
  isOfSpace,
  KINDS,
  type MilvusRecords,
  ofKind,
  readState,
  type StoredRecord,
  stateId,
  textId,
  toPassage,
} from "./milvus-records.ts";
import { type MilvusCollections, partOf, type TextKind } from "./milvus-schema.ts";
import type { MilvusStatistics } from "./milvus-statistics.ts";
import { listOf, readableBy } from "./milvus-values.ts";
import { type MilvusReading, MilvusVersions } from "./milvus-versions.ts";
import type { MilvusParts } from "./milvus-writes.ts";
import { isSame, type Space, spaceConflict } from "./vector-space.ts";

/** Versions of documents that come and go while they are searched are met by searching again. */
const ATTEMPTS = 8;
/** Known to be over, and passed over from the start. */
const OVER_MAX = 256;

/**
 * One search of a tenant's collection. A hit counts if its document's record names its generation, which is read after the hits
 * were: of a version that is being written, or is over, nothing is shown, and the search is made again without it.
 */
export class MilvusSearch {
  readonly #collections: MilvusCollections;
  readonly #records: MilvusRecords;
  readonly #statistics: MilvusStatistics;
  readonly #rows: PassageRows;
  readonly #legs: MilvusLegs;
  readonly #conditions: MilvusConditions;
  readonly #own: Space;
  readonly #stem: Stem;
  readonly #onStale: (scope: Scope) => void;
  readonly #passages = new KnownPassages();
  readonly #versions: MilvusVersions;
  readonly #spaces = new Map<string, Space>();
  readonly #over = new Map<string, Set<string>>();

  constructor(
    { collections, records, statistics, rows, legs }: MilvusParts,
    own: Space,
    stem: Stem,
    onStale: (scope: Scope) => void,
  ) {
    this.#collections = collections;
    this.#records = records;
    this.#statistics = statistics;
    this.#rows = rows;
    this.#legs = legs;
    this.#conditions = new MilvusConditions(records);
    this.#versions = new MilvusVersions(records);
    this.#own = own;
    this.#stem = stem;
    this.#onStale = onStale;
  }

  /** Generations that no document is of any more. */
  noteOver(part: string, generations: readonly string[]): void {
    const over = this.#over.get(part) ?? new Set();
    for (const generation of generations) over.add(generation);
    for (const oldest of over) {
      if (over.size <= OVER_MAX) break;
      over.delete(oldest);
    }
    this.#over.set(part, over);
  }

  async search(scope: Scope, query: SearchQuery, call: CallOptions): Promise<SearchResult> {
    const part = partOf(scope);
    if (query.limit > HITS_MAX) throw invalid(`limit: ${query.limit}, but at most ${HITS_MAX}`);
    const kind = await this.#collections.textKind(call);
    let reading = this.#versions.reading(part);
    let condition = await this.#condition(part, scope, query, reading, call);
    if (!kind) return { byText: [], byVector: [] };
    const known: Known = new Map();
    let isStrong = this.#records.isStrong(part);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const space = this.#spaces.get(part) ?? this.#own;
      const isForeign = !isSame(space, this.#own);
      const { vector, ...textOnly } = query;
      const how = { kind, space, condition, isStrong, known, reading };
      const found = await this.#find(part, scope.groups, isForeign ? textOnly : query, how, call);
      const collection = this.#collections.passages(space.dimensions, kind);
      const isGone = hitsOf(found).length === 0 && !(await this.#collections.isThere(collection, call));
      const remembered = isForeign || isGone ? null : this.#asRemembered(part, found, reading);
      if (remembered) return remembered;
      const readAt = performance.now();
      const [current, passages] = await Promise.all([
        this.#current(part, found, known, isStrong, call),
        this.#read(part, collection, found, isStrong, call),
      ]);
      const state = current.get(stateId(part));
      if (!state) return { byText: [], byVector: [] };
      if (!isOfSpace(state, space)) {
        await this.#learnSpace(part, call);
        continue;
      }
      if (vector && isForeign) return this.#foreign(scope, space, call);
      const { generation: version = "", at = 0 } = state;
      if (!isForeign) this.#versions.noteState(part, version, at, readAt);
      if (reading.isWrong(version)) {
        reading = this.#versions.afresh();
        condition = await this.#condition(part, scope, query, reading, call);
        continue;
      }
      if (isGone) await this.#checkEmpty(part, collection, call);
      const isFirst = known.size === 0;
      const isSettled = noteVersions(part, found, current, known);
      if (isSettled && hitsOf(found).every(({ id }) => passages.has(id))) {
        if (isFirst) this.#passages.noteCurrent(hitsOf(found), version);
        if (isStrong || this.#versions.isSettled(part)) reading.keep(version);
        return resultOf(found, passages);
      }
      reading = this.#versions.afresh();
      isStrong = true;
      this.#onStale(scope);
    }
    throw new RaglineError("dependency_failed", "The index changed too often to be read.");
  }

  /** Of a collection that Milvus does not have. @throws RaglineError `dependency_failed`: there are documents whose passages it held */
  async #checkEmpty(part: string, collection: string, call: CallOptions): Promise<void> {
    if ((await this.#records.count(ofKind(part, KINDS.document), true, call)) === 0) return;
    const message = `Milvus has no collection ${collection} any more: restore it, or erase what is indexed and index it again.`;
    throw new RaglineError("dependency_failed", message, { retryable: false });
  }

  async #condition(
    part: string,
    scope: Scope,
    { filter }: SearchQuery,
    reading: MilvusReading,
    call: CallOptions,
  ): Promise<string> {
    if (!filter) return "";
    const key = `condition: ${part} ${readableBy(scope.groups)} ${JSON.stringify(filter)}`;
    return reading.value(key, () => this.#conditions.of(scope, filter, call));
  }

  /** The result, if the collection need not be asked for anything more; else null. */
  #asRemembered(part: string, found: Found, reading: MilvusReading): SearchResult | null {
    const { version } = reading;
    if (reading.isNew || !this.#versions.isRecent(part, version)) return null;
    const byText = this.#passages.scored(found.byText, version);
    const byVector = byText && this.#passages.scored(found.byVector, version);
    return byVector && { byText, byVector };
  }

  async #find(
    part: string,
    groups: readonly string[],
    query: SearchQuery,
    how: {
      readonly kind: TextKind;
      readonly space: Space;
      readonly condition: string;
      readonly isStrong: boolean;
      readonly known: Known;
      readonly reading: MilvusReading;
    },
    call: CallOptions,
  ): Promise<Found> {
    const { kind, space, condition, isStrong, known, reading } = how;
    const collection = this.#collections.passages(space.dimensions, kind);
    if (!(await this.#collections.isThere(collection, call))) return { byText: [], byVector: [] };
    const current = new Set(known.values());
    const over = [...(this.#over.get(part) ?? [])].filter((generation) => !current.has(generation));
    const isShown = over.length === 0 ? "" : ` and generation not in ${listOf(over)}`;
    const shown = `${condition}${isShown}${ofKnownVersions(known)}`;
    const filter = `part == "${part}" and ${readableBy(groups)}${shown}`;
    const statistics = await this.#statistics.of(part, call);
    const leg = { collection, filter, isStrong, limit: query.limit, isFiltered: condition !== "", reading };
    const byText = async () => {
      const tokens = hashedQuery(query.text ?? "", this.#stem);
      if (tokens.size === 0) return [];
      return this.#legs.byText(kind, tokens, statistics, leg, call);
    };
    const [text, vector] = await Promise.all([
      byText(),
      query.vector ? this.#legs.byVector(query.vector, leg, this.#rowsMax(part, statistics.passages), call) : [],
    ]);
    return { byText: text, byVector: vector };
  }

  /** Rows of the collection, those included that are over, or that another process has just written. */
  #rowsMax(part: string, passages: number): number {
    return this.#records.isStrong(part) ? 2 * passages : Number.POSITIVE_INFINITY;
  }

  /** The records, as they are after the hits were found, of the collection and of every document that they are of. */
  async #current(
    part: string,
    found: Found,
    known: Known,
    isStrong: boolean,
    call: CallOptions,
  ): Promise<Map<string, StoredRecord>> {
    const documents = new Set(hitsOf(found).map(({ document }) => document));
    const unknown = [...documents].filter((document) => !known.has(document));
    const ids = [stateId(part), ...unknown.map((document) => `${part}:${KINDS.document}:${document}`)];
    const records = new Map<string, StoredRecord>();
    for (let i = 0; i < ids.length; i += RECORDS_AT_ONCE) {
      const filter = `id in ${listOf(ids.slice(i, i + RECORDS_AT_ONCE))}`;
      const query = { filter, fields: ["generation", "at"], isStrong } as const;
      for (const record of await this.#records.find(query, call)) records.set(record.id, record);
    }
    return records;
  }

  /** By passage's id, for hits alone: those of whom may read them. */
  #read(part: string, collection: string, found: Found, isStrong: boolean, call: CallOptions) {
    const hits = new Map(hitsOf(found).map((hit) => [hit.id, hit]));
    return this.#passages.all(hits.keys(), async (missing) => {
      const rows = await this.#rows.byId(collection, missing, ["content"], isStrong, call);
      const passages = new Map<string, Passage>();
      for (const [id, { content }] of rows) {
        const hit = hits.get(id);
        if (!hit) continue;
        const whole = await this.wholeContent(part, id, String(content), call);
        if (whole !== null) passages.set(id, toPassage(hit.document, hit.ordinal, whole));
      }
      return passages;
    });
  }

  /** What did not fit into the passage's row is in records. Null: not all of it is there any more. */
  async wholeContent(part: string, id: string, content: string, call: CallOptions): Promise<string | null> {
    const pieces = /^\+(\d+)$/.exec(content)?.[1];
    if (pieces === undefined) return content;
    const ids = Array.from({ length: Number(pieces) }, (_, n) => textId(part, id, n));
    const found = new Map<string, string>();
    for (let i = 0; i < ids.length; i += TEXTS_AT_ONCE) {
      const filter = `id in ${listOf(ids.slice(i, i + TEXTS_AT_ONCE))}`;
      const records = await this.#records.find({ filter, fields: ["data"], isStrong: true }, call);
      for (const { id, data = "" } of records) found.set(id, data);
    }
    return found.size < ids.length ? null : ids.map((one) => found.get(one)).join("");
  }

  async #learnSpace(part: string, call: CallOptions): Promise<void> {
    const query = { filter: `id in ${listOf([stateId(part)])}`, fields: ["data"], isStrong: true } as const;
    const state = readState((await this.#records.find(query, call))[0]);
    if (state) this.#spaces.set(part, { model: state.model, dimensions: state.dimensions });
    else this.#spaces.delete(part);
  }

  /** Of documents that one may not read not even the space is known. */
  async #foreign(scope: Scope, state: Space, call: CallOptions): Promise<SearchResult> {
    const part = partOf(scope);
    const filter = `${ofKind(part, KINDS.document)} and ${readableBy(scope.groups)}`;
    const readable = await this.#records.count(filter, this.#records.isStrong(part), call);
    if (readable > 0) throw spaceConflict(scope, state, this.#own);
    return { byText: [], byVector: [] };
  }
}

const RECORDS_AT_ONCE = 1000;
const TEXTS_AT_ONCE = 64;
