import type { CallOptions } from "../../types.ts";
import type { MilvusConnection } from "./milvus-client.ts";
import type { MilvusRecords } from "./milvus-records.ts";
import { placeOfPassage } from "./milvus-rows.ts";
import { readScanned, type ScannedPassage, scannedBytes, scannedScore } from "./milvus-scanned.ts";
import { LIMIT_MAX } from "./milvus-schema.ts";
import { averageLengthOf, dimensionOf, questionWeights, type TermStatistics } from "./milvus-terms.ts";
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
}

/** What is asked for beyond the limit, so that equal scores at its end are put in one order. */
const TIES = 64;
/** The largest limit of a search. */
export const HITS_MAX = LIMIT_MAX - TIES;
/** The rest of a hit is in its id. */
const HIT_FIELDS = ["id", "document"];
/** The graph is walked for so many candidates, at least. */
const CANDIDATES_MIN = 128;
const CANDIDATES_MAX = 32_768;
const BOUNDED = 2;

/** Rows that are compared one by one: read in full, a megabyte or two. */
export const COMPARED_MAX = 1000;

/** Passages that hold one of the rarest words are read until there are so many, before there is a floor to stop at. */
const SCANNED_MIN = 256;
/** Words of some 30,000 passages of a usual length, and as much of vectors. */
const REMEMBERED_BYTES_MAX = 32_000_000;

interface Field<T> {
  readonly field: string;
  readonly read: (stored: unknown) => T;
  readonly remembered: Remembered<string, T>;
}

export class MilvusLegs {
  readonly #connection: MilvusConnection;
  readonly #records: MilvusRecords;
  readonly #scanned: Field<ScannedPassage> = {
    field: "counts",
    read: (stored) => readScanned(String(stored)),
    remembered: new Remembered({ weightMax: REMEMBERED_BYTES_MAX, weightOf: scannedBytes }),
  };
  readonly #vectors: Field<Float32Array> = {
    field: "vector",
    read: (stored) => Float32Array.from(stored as readonly number[]),
    remembered: new Remembered({ weightMax: REMEMBERED_BYTES_MAX, weightOf: ({ byteLength }) => byteLength + 400 }),
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
    const request = { anns_field: "vector", metric_type: "COSINE", data: [Array.from(vector)], params: { ef }, limit };
    const isNarrow = async () => {
      const [row] = await this.#query(leg.collection, filter, ["count(*)"], leg.isStrong, call);
      return Number(row?.["count(*)"] ?? 0) <= COMPARED_MAX;
    };
    const searching = this.#search({ ...request, filter }, leg, call);
    const [found, isNarrowFilter] = await Promise.all([searching, leg.isFiltered && isNarrow()]);
    if (isNarrowFilter || (!leg.isFiltered && found.length < limit && (await isNarrow()))) {
      return this.#compared(vector, { ...leg, filter }, call);
    }
    return inOrder(found, leg.limit);
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
    const data = [Object.fromEntries([...weights].map(([hash, weight]) => [dimensionOf(hash), weight]))];
    const limit = Math.min(LIMIT_MAX, leg.limit + TIES);
    const request = { anns_field: "words", metric_type: "IP", data, params: {}, limit, filter: leg.filter };
    const found = await this.#search(request, leg, call);
    return inOrder(
      found.filter(({ score }) => score > 0),
      leg.limit,
    );
  }

  /**
   * Without sparse vectors: reads the passages that hold one of the rarest words, and as many further words as can still lift a
   * passage above the last of the best. Exact, and as slow as there are passages.
   */
  async byScannedText(
    tokens: ReadonlyMap<number, number>,
    statistics: TermStatistics,
    leg: LegSearch,
    call: CallOptions,
  ): Promise<Hit[]> {
    const terms = [...questionWeights(tokens, statistics)];
    const averageLength = averageLengthOf(statistics);
    let read = SCANNED_MIN;
    for (let essential = 0; essential < terms.length; read *= 4) {
      for (let sum = 0; essential < terms.length && sum < read; essential++) {
        sum += statistics.frequencies.get(terms[essential]?.[0] ?? 0) ?? 0;
      }
      const looked = terms.slice(0, essential).map(([hash]) => dimensionOf(hash));
      const filter = `${leg.filter} and array_contains_any(terms, [${looked.join(",")}])`;
      const rows = await this.#query(leg.collection, filter, HIT_FIELDS, leg.isStrong, call);
      const words = await this.#field(this.#scanned, rows, { ...leg, filter }, call);
      const scores = new Float64Array(rows.length);
      for (const [i, { id }] of rows.entries()) {
        const scanned = words.get(String(id));
        if (scanned) scores[i] = scannedScore(scanned, terms, averageLength);
      }
      const best = inOrder(bestOf(rows, scores, leg.limit), leg.limit);
      const rest = terms.slice(essential).reduce((sum, [, weight]) => sum + weight, 0);
      const floor = best.length < leg.limit ? 0 : (best.at(-1)?.score ?? 0);
      if (rest < floor || essential === terms.length) return best;
    }
    return [];
  }

  /** A field of these rows, which are what the filter leaves: all are read again where many are new. */
  #field<T>(
    { remembered, field, read }: Field<T>,
    rows: readonly Row[],
    { collection, filter, isStrong }: LegSearch,
    call: CallOptions,
  ): Promise<Map<string, T>> {
    const ids = rows.map(({ id }) => String(id));
    return remembered.all(ids, async (missing) => {
      const found =
        missing.length > SCANNED_MIN
          ? await this.#query(collection, filter, ["id", field], isStrong, call)
          : (await this.rows(collection, missing, [field], isStrong, call)).values();
      return new Map(Array.from(found, (row) => [String(row.id), read(row[field])]));
    });
  }

  async #compared(vector: Float32Array, leg: LegSearch, call: CallOptions): Promise<Hit[]> {
    const rows = await this.#query(leg.collection, leg.filter, HIT_FIELDS, leg.isStrong, call);
    const vectors = await this.#field(this.#vectors, rows, leg, call);
    const scored = rows.flatMap((row) => {
      const stored = vectors.get(String(row.id));
      return stored ? [{ ...toHit(row), score: cosine(vector, stored) }] : [];
    });
    return inOrder(scored, leg.limit);
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
      for (const row of await this.#query(collection, filter, ["id", ...fields], isStrong, call)) {
        found.set(String(row.id), row);
      }
    }
    return found;
  }

  async #search(request: object, { collection, isStrong }: LegSearch, call: CallOptions): Promise<Hit[]> {
    const wanted = {
      ...(request as { readonly data: number[][] }),
      collection_name: collection,
      output_fields: HIT_FIELDS,
      ...(!isStrong && { consistency_level: BOUNDED }),
    };
    try {
      const { results } = await this.#connection.loaded(
        collection,
        "Search",
        (client, timeout) => client.search({ ...wanted, timeout }),
        call,
      );
      return (results as unknown as readonly Row[]).map(toHit);
    } catch (thrown) {
      return this.#records.nothingIfMissing(thrown, []);
    }
  }

  async #query(
    collection_name: string,
    filter: string,
    output_fields: string[],
    isStrong: boolean,
    call: CallOptions,
  ): Promise<Row[]> {
    const consistency = isStrong ? {} : { consistency_level: BOUNDED };
    const isCount = output_fields[0] === "count(*)";
    const request = { collection_name, filter, output_fields, ...(!isCount && { limit: LIMIT_MAX }), ...consistency };
    try {
      const { data } = await this.#connection.loaded(
        collection_name,
        "Query",
        (client, timeout) => client.query({ ...request, timeout }),
        call,
      );
      return data;
    } catch (thrown) {
      return this.#records.nothingIfMissing(thrown, []);
    }
  }
}

export type Row = Readonly<Record<string, unknown>>;

const ROWS_AT_ONCE = 1000;
/** Digits of a score that servers agree on. */
const SCORE_UNITS = 1e6;

/** Best first; equal ones in the order of their documents. */
function inOrder(hits: readonly Hit[], limit: number): Hit[] {
  const units = ({ score }: Hit) => Math.round(score * SCORE_UNITS);
  const compared = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return [...hits]
    .sort((a, b) => units(b) - units(a) || compared(a.document, b.document) || a.ordinal - b.ordinal)
    .slice(0, limit);
}

/** Those that can be among the best, with their scores. */
function bestOf(rows: readonly Row[], scores: Float64Array, limit: number): Hit[] {
  const worst = scores.toSorted()[Math.max(0, scores.length - limit)] ?? 0;
  const hits: Hit[] = [];
  for (const [i, row] of rows.entries()) {
    const score = scores[i] ?? 0;
    if (score > 0 && score >= worst - 1 / SCORE_UNITS) hits.push({ ...toHit(row), score });
  }
  return hits;
}

function toHit({ id, document, score = 0 }: Row): Hit {
  return { ...placeOfPassage(String(id)), id: String(id), document: String(document), score: Number(score) };
}

/** Of unit vectors, as far as 32 bits go. */
function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, squares] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const value = b[i] ?? 0;
    dot += (a[i] ?? 0) * value;
    squares += value * value;
  }
  return squares === 0 ? 0 : dot / Math.sqrt(squares);
}
