import type { Fusion, FusionStore, StoredPassage } from "../../ports/fusion-store.ts";
import type { CallOptions, Scope } from "../../types.ts";
import type { PostgresDatabase, Query } from "../postgres/database.ts";
import { NEXT_VERSION, vectorsOf } from "./postgres-schema.ts";
import { beginReading, beginWriting } from "./postgres-scope.ts";
import { ORDINAL_BITS } from "./postgres-writes.ts";

const DIMENSIONS = "SELECT row, dimensions FROM collections WHERE tenant = $1 AND name = $2";
/** $1 collection, $2 how many, $3 groups: the readable passages counted through by the documents' ids, of which every so many-th is taken. */
const sample = (dimensions: number) => `WITH counted AS (
  SELECT d.row, d.title, d.passages, sum(d.passages) OVER (ORDER BY d.id) - d.passages AS start, sum(d.passages) OVER () AS total
  FROM documents d WHERE d.collection = $1 AND (d.groups = '{}' OR d.groups && $3::text[])
), wanted AS (
  SELECT ((2 * n + 1) * total) / (2 * wanted) AS place
  FROM (SELECT max(total)::bigint AS total, least(max(total)::bigint, $2::int) AS wanted FROM counted) t, generate_series(0, wanted - 1) n
), places AS (
  SELECT row << ${ORDINAL_BITS} | ordinal AS passage, row AS document, title, start::bigint + ordinal AS place
  FROM counted, generate_series(0, passages - 1) ordinal
)
SELECT places.title, p.headings, p.text, v.vector::text AS vector
FROM wanted JOIN places USING (place) JOIN passages p ON p.row = places.passage
  LEFT JOIN ${vectorsOf(dimensions)} v ON v.tenant = current_setting('ragline.tenant') AND v.readers = p.readers
    AND v.document = places.document AND v.passage = p.row
ORDER BY place`;
const LOAD = "SELECT learned FROM collection_of($1, $2)";
const SAVE = `UPDATE collections AS c SET learned = $3, version = ${NEXT_VERSION} WHERE tenant = $1 AND name = $2`;

interface SampleRow {
  readonly title: string;
  readonly headings: string;
  readonly text: string;
  readonly vector: string | null;
}

/** What was learned about a collection, beside it in its row. */
export class PostgresFusionStore implements FusionStore {
  readonly #database: PostgresDatabase;
  /** Of everything but `load`. */
  readonly #timeoutMs: number;
  /** By its JSON, so that it is parsed once. */
  readonly #parsed = new Map<string, { readonly json: string; readonly fusion: Fusion }>();

  constructor(database: PostgresDatabase, timeoutMs: number) {
    this.#database = database;
    this.#timeoutMs = timeoutMs;
  }

  async sample(scope: Scope, limit: number, call: CallOptions): Promise<StoredPassage[]> {
    const begin = (limitMs: number) => beginReading(scope, "scope", limitMs);
    const work = async (query: Query) => {
      const [found] = await query<{ row: number; dimensions: number }>(DIMENSIONS, [scope.tenant, scope.collection]);
      if (!found) return [];
      const rows = await query<SampleRow>(sample(found.dimensions), [found.row, limit, scope.groups]);
      return rows.map(decode);
    };
    return this.#database.reading(call, begin, work, this.#timeoutMs);
  }

  async load({ tenant, collection }: Scope, call: CallOptions): Promise<Fusion | null> {
    const [found] = await this.#database.query<{ learned: string | null }>(call, LOAD, [tenant, collection]);
    const json = found?.learned ?? null;
    if (json === null) return null;
    const key = JSON.stringify([tenant, collection]);
    const known = this.#parsed.get(key);
    if (known?.json === json) return known.fusion;
    const fusion = JSON.parse(json) as Fusion;
    this.#parsed.set(key, { json, fusion });
    return fusion;
  }

  async save(scope: Scope, fusion: Fusion, call: CallOptions): Promise<void> {
    const begin = (limitMs: number) => beginWriting(scope, limitMs);
    const values = [scope.tenant, scope.collection, JSON.stringify(fusion)];
    await this.#database.transaction(call, begin, (query) => query(SAVE, values), this.#timeoutMs);
  }
}

function decode({ title, headings, text, vector }: SampleRow): StoredPassage {
  return {
    title,
    headings: JSON.parse(headings) as string[],
    text,
    vector: vector === null ? null : Float32Array.from(JSON.parse(vector) as number[]),
  };
}
