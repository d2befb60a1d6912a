import type { CallOptions } from "../../types.ts";
import type { MilvusConnection } from "./milvus-client.ts";
import type { FoundPlaces, Place, Row, SearchMessage } from "./milvus-messages.ts";
import { MilvusPostings, nthBest, type Posting, type Shelf } from "./milvus-postings.ts";
import { COUNT, type MilvusRecords } from "./milvus-records.ts";
import { placeOfPassage } from "./milvus-rows.ts";
import { readScanned, type ScannedPassage, scannedBytes } from "./milvus-scanned.ts";
import { LIMIT_MAX } from "./milvus-schema.ts";
import { averageLengthOf, dimensionOf, questionWeights, type TermStatistics } from "./milvus-terms.ts";
import type { MilvusReading } from "./milvus-versions.ts";
import { Remembered } from "./remembered.ts";

/** A passage that was found, as it is told from others; whether it may be shown is another question. */
export interface Hit {
  readonly id: string;
  readonly document: string;
  readonly generation: string;
  readonly ordinal: number;
  readonly score: number;
}

/** Where and how one leg searches. */
export interface LegSearch {
  /** Milvus's collection of passages. */
  readonly collection: string;
  readonly filter: string;
  readonly isStrong: boolean;
  /** Hits, at most. */
  readonly limit: number;
  /** Whether the filter may leave few rows. */
  readonly isFiltered: boolean;
  readonly reading: MilvusReading;
}

/** What is asked for beyond the limit, so that equal scores at its end are put in one order. */
const TIES = 64;
/** The largest limit of a search. */
export const HITS_MAX = LIMIT_MAX - TIES;
const ROW_FIELDS = ["id", "document"];
/** The graph is walked for so many candidates, at least. */
const CANDIDATES_MIN = 128;
const CANDIDATES_MAX = 32_768;

/** Rows that are compared one by one: read in full, a megabyte or two. */
export const COMPARED_MAX = 1000;

/** Passages that hold one of the rarest words are read until there are so many, before there is a floor to stop at. */
const SCANNED_MIN = 256;
/** Of 100,000 passages of a usual length. */
const WORDS_BYTES_MAX = 128_000_000;
const VECTORS_BYTES_MAX = 32_000_000;
const ROW_BYTES = 400;

interface Field<T> {
  readonly field: string;
  readonly read: (stored: unknown) => T;
  readonly remembered: Remembered<string, T>;
}

export class MilvusLegs {
  readonly #connection: MilvusConnection;
  readonly #records: MilvusRecords;
  readonly #postings = new MilvusPostings();
  readonly #scanned: Field<ScannedPassage> = {
    field: "counts",
    read: (stored) => readScanned(String(stored)),
    remembered: new Remembered({ weightMax: WORDS_BYTES_MAX, weightOf: scannedBytes }),
  };
  readonly #vectors: Field<Float32Array> = {
    field: "vector",
    read: (stored) => Float32Array.from(stored as readonly number[]),
    remembered: new Remembered({ weightMax: VECTORS_BYTES_MAX, weightOf: ({ byteLength }) => byteLength + ROW_BYTES }),
  };

  constructor(connection: MilvusConnection, records: MilvusRecords) {
    this.#connection = connection;
    this.#records = records;
  }

  /** Nearest by cosine. Of few rows each is compared: behind a narrow filter the servers' graphs give too few, or none. */
  async byVector(vector: Float32Array, leg: LegSearch, rowsMax: number, call: CallOptions): Promise<Hit[]> {
    const filter = `${leg.filter} and embedded == true`;
    if (rowsMax <= COMPARED_MAX) return this.#compared(vector, { ...leg, filter }, call);
    const limit = Math.min(LIMIT_MAX, leg.limit + TIES);
    const ef = Math.min(CANDIDATES_MAX, Math.max(CANDIDATES_MIN, 2 * limit));
    const request = { by: "vector", metric: "COSINE", vector, params: { ef }, limit } as const;
    const isNarrow = async () => {
      const [row] = await this.#query({ ...leg, filter }, [COUNT], call);
      return Number(row?.[COUNT] ?? 0) <= COMPARED_MAX;
    };
    if (leg.isFiltered && (await leg.reading.value(`narrow: ${filter}`, isNarrow))) {
      return this.#compared(vector, { ...leg, filter }, call);
    }
    const { places, total } = await this.#search({ ...request, filter }, leg, call);
    if (!leg.isFiltered && total < limit && (await isNarrow())) {
      return this.#compared(vector, { ...leg, filter }, call);
    }
    return inOrder(places, leg.limit).map(toHit);
  }

  /** By the inner product with what a question's words weigh. */
  async bySparseText(
    tokens: ReadonlyMap<number, number>,
    statistics: TermStatistics,
    leg: LegSearch,
    call: CallOptions,
  ): Promise<Hit[]> {
    const weights = questionWeights(tokens, statistics);
    if (weights.size === 0) return [];
    const limit = Math.min(LIMIT_MAX, leg.limit + TIES);
    const request = { by: "words", metric: "IP", vector: weights, params: {}, limit, filter: leg.filter } as const;
    const { places } = await this.#search(request, leg, call);
    return inOrder(
      places.filter(({ score }) => score > 0),
      leg.limit,
    ).map(toHit);
  }

  /**
   * Without sparse vectors: reads the passages that hold one of the rarest words, and as many further words as can still lift a
   * passage above the last of the best. Exact, and as slow as there are passages that nobody has asked for since the last write.
   */
  async byScannedText(
    tokens: ReadonlyMap<number, number>,
    statistics: TermStatistics,
    leg: LegSearch,
    call: CallOptions,
  ): Promise<Hit[]> {
    const terms = [...questionWeights(tokens, statistics)];
    const shelf = this.#postings.shelf(leg.filter, leg.reading.version, averageLengthOf(statistics));
    if (shelf.postings.size > 0) leg.reading.noteRecalled();
    const read = new Map<number, Posting>();
    const postingOf = (hash: number) => shelf.postings.get(hash) ?? read.get(hash);
    let wanted = SCANNED_MIN;
    for (let essential = 0; essential < terms.length; wanted *= 4) {
      for (let sum = 0; essential < terms.length && sum < wanted; essential++) {
        sum += statistics.frequencies.get(terms[essential]?.[0] ?? 0) ?? 0;
      }
      const missing = terms.slice(0, essential).flatMap(([hash]) => (postingOf(hash) ? [] : [hash]));
      for (const some of readTogether(missing, statistics)) await this.#readPostings(some, leg, shelf, read, call);
      const best = inOrder(this.#postings.best(shelf, terms, postingOf, leg.limit), leg.limit);
      const rest = terms.reduce((sum, [hash, weight]) => (postingOf(hash) ? sum : sum + weight), 0);
      const floor = best.length < leg.limit ? 0 : (best.at(-1)?.score ?? 0);
      if (rest < floor || rest === 0) return best.map(toHit);
    }
    return [];
  }

  async #readPostings(
    hashes: readonly number[],
    leg: LegSearch,
    shelf: Shelf,
    read: Map<number, Posting>,
    call: CallOptions,
  ): Promise<void> {
    const holding = {
      ...leg,
      filter: `${leg.filter} and array_contains_any(terms, [${hashes.map(dimensionOf).join(",")}])`,
    };
    const rows = await this.#query(holding, ROW_FIELDS, call);
    const words = await this.#field(this.#scanned, rows, holding, call);
    const passages = rows.flatMap(({ id, document }) => {
      const scanned = words.get(String(id));
      return scanned ? [{ id: String(id), document: String(document), words: scanned }] : [];
    });
    const postings = shelf.postingsOf(hashes, passages);
    for (const [hash, posting] of postings) read.set(hash, posting);
    // Of several words that are in more passages nobody knows which lacks some; of one word no more are ever read.
    const isKnown = rows.length < LIMIT_MAX || hashes.length === 1;
    if (isKnown) leg.reading.learn(() => this.#postings.keep(shelf, postings));
  }

  /** A field of these rows, which are what the filter leaves: all are read again where many are new. */
  #field<T>(
    { remembered, field, read }: Field<T>,
    rows: readonly Row[],
    leg: LegSearch,
    call: CallOptions,
  ): Promise<Map<string, T>> {
    const ids = rows.map(({ id }) => String(id));
    return remembered.all(ids, async (missing) => {
      const found =
        missing.length > SCANNED_MIN
          ? await this.#query(leg, ["id", field], call)
          : (await this.rows(leg.collection, missing, [field], leg.isStrong, call)).values();
      return new Map(Array.from(found, (row) => [String(row.id), read(row[field])]));
    });
  }

  async #compared(vector: Float32Array, leg: LegSearch, call: CallOptions): Promise<Hit[]> {
    const read = async () => {
      const rows = await this.#query(leg, ROW_FIELDS, call);
      const vectors = await this.#field(this.#vectors, rows, leg, call);
      return rows.flatMap((row) => {
        const stored = vectors.get(String(row.id));
        return stored ? [{ id: String(row.id), document: String(row.document), stored, scale: scaleOf(stored) }] : [];
      });
    };
    const bytesOf = (all: readonly { readonly stored: Float32Array }[]) =>
      all.reduce((sum, { stored }) => sum + stored.byteLength + ROW_BYTES, 0);
    const compared = await leg.reading.value(`compared: ${leg.filter}`, read, bytesOf);
    const scored = compared.map(({ id, document, stored, scale }) => ({
      id,
      document,
      score: scale * dot(vector, stored),
    }));
    const worst =
      nthBest(
        Float64Array.from(scored, ({ score }) => score),
        leg.limit,
      ) -
      1 / SCORE_UNITS;
    return inOrder(
      scored.filter(({ score }) => score >= worst),
      leg.limit,
    ).map(toHit);
  }

  /** Rows of passages by their ids. */
  async rows(
    collection: string,
    ids: readonly string[],
    fields: readonly string[],
    isStrong: boolean,
    call: CallOptions,
  ): Promise<Map<string, Row>> {
    const found = new Map<string, Row>();
    for (let i = 0; i < ids.length; i += ROWS_AT_ONCE) {
      const filter = `id in ["${ids.slice(i, i + ROWS_AT_ONCE).join('","')}"]`;
      for (const row of await this.#query({ collection, filter, isStrong }, ["id", ...fields], call)) {
        found.set(String(row.id), row);
      }
    }
    return found;
  }

  async #search(
    request: Omit<SearchMessage, "collection" | "isStrong">,
    { collection, isStrong, limit }: LegSearch,
    call: CallOptions,
  ): Promise<FoundPlaces> {
    try {
      return await this.#connection.search({ ...request, collection, isStrong }, limit, 2 / SCORE_UNITS, call);
    } catch (thrown) {
      return this.#records.nothingIfMissing(thrown, { places: [], total: 0 });
    }
  }

  async #query(
    {
      collection,
      filter,
      isStrong,
      reading,
    }: Pick<LegSearch, "collection" | "filter" | "isStrong"> & Partial<LegSearch>,
    fields: readonly string[],
    call: CallOptions,
  ): Promise<readonly Row[]> {
    const params = fields[0] === COUNT ? {} : { limit: LIMIT_MAX };
    try {
      return (await this.#connection.query({ collection, filter, fields, params, isStrong }, call)).rows;
    } catch (thrown) {
      reading?.forgo();
      return this.#records.nothingIfMissing(thrown, []);
    }
  }
}

const ROWS_AT_ONCE = 1000;
/** Words that are in few enough passages to be read with one query, half of whose rows may be over; others by themselves. */
function* readTogether(hashes: readonly number[], { frequencies }: TermStatistics): Generator<readonly number[]> {
  let some: number[] = [];
  let sum = 0;
  for (const hash of hashes) {
    const frequency = frequencies.get(hash) ?? 0;
    if (some.length > 0 && sum + frequency > LIMIT_MAX / 2) {
      yield some;
      [some, sum] = [[], 0];
    }
    some.push(hash);
    sum += frequency;
  }
  if (some.length > 0) yield some;
}

/** Digits of a score that servers agree on. */
const SCORE_UNITS = 1e6;

/** Best first; equal ones in the order of their documents, and within them. */
function inOrder(places: readonly Place[], limit: number): Place[] {
  const units = ({ score }: Place) => Math.round(score * SCORE_UNITS);
  const compared = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  const ordinal = ({ id }: Place) => placeOfPassage(id).ordinal;
  return [...places]
    .sort((a, b) => units(b) - units(a) || compared(a.document, b.document) || ordinal(a) - ordinal(b))
    .slice(0, limit);
}

function toHit({ id, document, score }: Place): Hit {
  return { ...placeOfPassage(id), id, document, score };
}

/** Of vectors, as far as 32 bits go: what makes a product a cosine. */
function scaleOf(vector: Float32Array): number {
  const squares = dot(vector, vector);
  return squares === 0 ? 0 : 1 / Math.sqrt(squares);
}

function dot(a: Float32Array, b: Float32Array): number {
  let [even, odd] = [0, 0];
  const end = a.length - 1;
  let i = 0;
  for (; i < end; i += 2) {
    even += (a[i] as number) * (b[i] as number);
    odd += (a[i + 1] as number) * (b[i + 1] as number);
  }
  return i < a.length ? even + odd + (a[i] as number) * (b[i] as number) : even + odd;
}
