import type { CallOptions } from "../../types.ts";
import type { MilvusConnection } from "./milvus-client.ts";
import { inOrder, type LegSearch, SCORE_UNITS } from "./milvus-hits.ts";
import type { FoundPlaces, Place, SearchMessage } from "./milvus-messages.ts";
import { type Field, type PassageRows, ROW_FIELDS } from "./milvus-passage-rows.ts";
import { nthBest } from "./milvus-ranking.ts";
import { COUNT, type MilvusRecords } from "./milvus-records.ts";
import { MilvusScannedText } from "./milvus-scanned-text.ts";
import { LIMIT_MAX, type TextKind } from "./milvus-schema.ts";
import { questionWeights, type TermStatistics } from "./milvus-terms.ts";
import { Remembered } from "./remembered.ts";

/** What is asked for beyond the limit, so that equal scores at its end are put in one order. */
const TIES = 64;
/** The largest limit of a search. */
export const HITS_MAX = LIMIT_MAX - TIES;
/** The graph is walked for so many candidates, at least. */
const CANDIDATES_MIN = 128;
const CANDIDATES_MAX = 32_768;

/** Rows that are compared one by one: read in full, a megabyte or two. */
export const COMPARED_MAX = 1000;

const VECTORS_BYTES_MAX = 32_000_000;
const ROW_BYTES = 400;

export class MilvusLegs {
  readonly #connection: MilvusConnection;
  readonly #records: MilvusRecords;
  readonly #rows: PassageRows;
  readonly #scannedText: MilvusScannedText;
  readonly #vectors: Field<Float32Array> = {
    field: "vector",
    read: (stored) => Float32Array.from(stored as readonly number[]),
    remembered: new Remembered({ weightMax: VECTORS_BYTES_MAX, weightOf: ({ byteLength }) => byteLength + ROW_BYTES }),
  };

  constructor(connection: MilvusConnection, records: MilvusRecords, rows: PassageRows) {
    this.#connection = connection;
    this.#records = records;
    this.#rows = rows;
    this.#scannedText = new MilvusScannedText(rows);
  }

  /** Nearest by cosine. Of few rows each is compared: behind a narrow filter the servers' graphs give too few, or none. */
  async byVector(vector: Float32Array, leg: LegSearch, rowsMax: number, call: CallOptions): Promise<Place[]> {
    const filter = `${leg.filter} and embedded == true`;
    if (rowsMax <= COMPARED_MAX) return this.#compared(vector, { ...leg, filter }, call);
    const limit = Math.min(LIMIT_MAX, leg.limit + TIES);
    const ef = Math.min(CANDIDATES_MAX, Math.max(CANDIDATES_MIN, 2 * limit));
    const request = { by: "vector", metric: "COSINE", vector, params: { ef }, limit } as const;
    const isNarrow = async () => {
      const [row] = await this.#rows.query({ ...leg, filter }, [COUNT], call);
      return Number(row?.[COUNT] ?? 0) <= COMPARED_MAX;
    };
    if (leg.isFiltered && (await leg.reading.value(`narrow: ${filter}`, isNarrow))) {
      return this.#compared(vector, { ...leg, filter }, call);
    }
    const { places, total } = await this.#search({ ...request, filter }, leg, call);
    if (!leg.isFiltered && total < limit && (await isNarrow())) {
      return this.#compared(vector, { ...leg, filter }, call);
    }
    return inOrder(places, leg.limit);
  }

  /** Best by BM25F. */
  byText(
    kind: TextKind,
    tokens: ReadonlyMap<number, number>,
    statistics: TermStatistics,
    leg: LegSearch,
    call: CallOptions,
  ): Promise<Place[]> {
    return kind === "sparse"
      ? this.#bySparseText(tokens, statistics, leg, call)
      : this.#scannedText.search(tokens, statistics, leg, call);
  }

  /** By the inner product with what a question's words weigh. */
  async #bySparseText(
    tokens: ReadonlyMap<number, number>,
    statistics: TermStatistics,
    leg: LegSearch,
    call: CallOptions,
  ): Promise<Place[]> {
    const weights = questionWeights(tokens, statistics);
    if (weights.size === 0) return [];
    const limit = Math.min(LIMIT_MAX, leg.limit + TIES);
    const request = { by: "words", metric: "IP", vector: weights, params: {}, limit, filter: leg.filter } as const;
    const { places } = await this.#search(request, leg, call);
    return inOrder(
      places.filter(({ score }) => score > 0),
      leg.limit,
    );
  }

  async #compared(vector: Float32Array, leg: LegSearch, call: CallOptions): Promise<Place[]> {
    const read = async () => {
      const rows = await this.#rows.query(leg, ROW_FIELDS, call);
      const vectors = await this.#rows.field(this.#vectors, rows, leg, call);
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
    );
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
