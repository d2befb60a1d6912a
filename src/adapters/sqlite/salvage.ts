import type { DatabaseSync } from "node:sqlite";
import { connect } from "./connect.ts";
import type { SqlValue } from "./writer.ts";

type Row = Record<string, SqlValue>;

/** Bytes of a row at least: bounds the row ids to try where the largest cannot be read. */
const ROW_BYTES_MIN = 40;

/** A page stands twice in its tree, which so leads back, maybe for ever. */
class OutOfOrder extends Error {}

/** Reads what can be read of a damaged file: rows are found by their ids, past whatever pages are gone. */
export class DamagedFile {
  readonly #database: DatabaseSync;
  readonly #bytes: number;
  /** Row ids at which the file could not be read, by table: each may have been a row, or none. */
  readonly unreadable = new Map<string, number>();

  constructor(file: string, bytes: number) {
    // Not defensive: a file that is shorter than its header says is opened only with a writable schema.
    this.#database = connect(file, { waitMs: 2000, defensive: false });
    this.#bytes = bytes;
    this.#database.exec("PRAGMA writable_schema = ON");
  }

  /** Columns by table; empty where there is no such table. @throws where even the schema is lost. */
  columns(table: string): string[] {
    return this.#database
      .prepare(`SELECT name FROM pragma_table_info('${table}')`)
      .all()
      .map(({ name }) => String(name));
  }

  /** @throws where another process has the file open. */
  takeOver(): void {
    this.#database.exec("PRAGMA journal_mode = DELETE");
  }

  isHealthy(): boolean {
    try {
      return this.#database.prepare("PRAGMA integrity_check(1)").get()?.integrity_check === "ok";
    } catch {
      return false;
    }
  }

  /** Every row that can be read, in the order of their ids. */
  *rows(table: string, columns: readonly string[]): Generator<Row> {
    const sql = `SELECT rowid AS salvaged_row, ${columns.map((name) => `"${name}"`).join(", ")} FROM ${table}
      WHERE rowid BETWEEN ? AND ? ORDER BY rowid`;
    const statement = this.#database.prepare(sql);
    const open: [number, number][] = [[1, this.#lastRow(table)]];
    for (let range = open.pop(); range; range = open.pop()) {
      let [from] = range;
      const [, to] = range;
      try {
        for (const row of statement.iterate(from, to)) {
          const { salvaged_row, ...values } = row as Row;
          const id = Number(salvaged_row);
          if (id < from || id > to) throw new OutOfOrder();
          from = id + 1;
          yield values;
        }
      } catch (thrown) {
        if (!(thrown instanceof OutOfOrder || (thrown instanceof Error && "errcode" in thrown))) throw thrown;
        if (from === to) {
          this.unreadable.set(table, (this.unreadable.get(table) ?? 0) + 1);
        } else if (from < to) {
          const middle = Math.floor((from + to) / 2);
          open.push([middle + 1, to], [from, middle]);
        }
      }
    }
  }

  close(): void {
    this.#database.close();
  }

  #lastRow(table: string): number {
    for (const sql of [
      `SELECT max(rowid) AS last FROM ${table}`,
      `SELECT seq AS last FROM sqlite_sequence WHERE name = '${table}'`,
    ]) {
      try {
        const last = Number(this.#database.prepare(sql).get()?.last ?? 0);
        if (last > 0 || sql.includes("max")) return last;
      } catch {
        // That page is gone too.
      }
    }
    return Math.ceil(this.#bytes / ROW_BYTES_MIN);
  }
}
