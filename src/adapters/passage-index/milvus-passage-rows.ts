import type { CallOptions } from "../../types.ts";
import type { MilvusConnection } from "./milvus-client.ts";
import type { LegSearch } from "./milvus-hits.ts";
import type { Row } from "./milvus-messages.ts";
import { COUNT, type MilvusRecords } from "./milvus-records.ts";
import { LIMIT_MAX } from "./milvus-schema.ts";
import type { Remembered } from "./remembered.ts";

/** What a passage is told by. */
export const ROW_FIELDS = ["id", "document"];
/** As many by their ids, further ones by the condition that they fulfil. */
const NAMED_MAX = 256;
const ROWS_AT_ONCE = 1000;

/** A field of passages that never changes. */
export interface Field<T> {
  readonly field: string;
  readonly read: (stored: unknown) => T;
  readonly remembered: Remembered<string, T>;
}

/** Rows of passages as they are stored. */
export class PassageRows {
  readonly #connection: MilvusConnection;
  readonly #records: MilvusRecords;

  constructor(connection: MilvusConnection, records: MilvusRecords) {
    this.#connection = connection;
    this.#records = records;
  }

  /** A field of these rows, which are what the filter leaves: all are read again where many are new. */
  field<T>(
    { remembered, field, read }: Field<T>,
    rows: readonly Row[],
    leg: LegSearch,
    call: CallOptions,
  ): Promise<Map<string, T>> {
    const ids = rows.map(({ id }) => String(id));
    return remembered.all(ids, async (missing) => {
      const found =
        missing.length > NAMED_MAX
          ? await this.query(leg, ["id", field], call)
          : (await this.byId(leg.collection, missing, [field], leg.isStrong, call)).values();
      return new Map(Array.from(found, (row) => [String(row.id), read(row[field])]));
    });
  }

  /** Rows of passages by their ids. */
  async byId(
    collection: string,
    ids: readonly string[],
    fields: readonly string[],
    isStrong: boolean,
    call: CallOptions,
  ): Promise<Map<string, Row>> {
    const found = new Map<string, Row>();
    for (let i = 0; i < ids.length; i += ROWS_AT_ONCE) {
      const filter = `id in ["${ids.slice(i, i + ROWS_AT_ONCE).join('","')}"]`;
      for (const row of await this.query({ collection, filter, isStrong }, ["id", ...fields], call)) {
        found.set(String(row.id), row);
      }
    }
    return found;
  }

  /** What fulfils the leg's filter, as many as a query gives. */
  async query(
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
