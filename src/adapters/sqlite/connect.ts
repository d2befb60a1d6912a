import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Row, SqlValue } from "./writer.ts";

/** How long a connection waits for another one's lock, unless it is told otherwise. */
export const WAIT_MS = 10_000;

export interface ConnectOptions {
  readonly readOnly?: boolean;
  readonly defensive?: boolean;
  /** How long it waits for another connection's lock. */
  readonly waitMs?: number;
}

/** A connection to a file. `timeout` of `DatabaseSync` does nothing before Node 22.16. */
export function connect(file: string | URL, { waitMs = WAIT_MS, ...options }: ConnectOptions = {}): DatabaseSync {
  const database = new DatabaseSync(file, options);
  database.exec(`PRAGMA busy_timeout = ${waitMs}`);
  return database;
}

/** Undoes what a failed transaction has left open, if anything. */
export function rollBack(database: DatabaseSync): void {
  try {
    database.exec("ROLLBACK");
  } catch {
    // SQLite has done it: the disk is full, or it never began. `isTransaction` would say so, from Node 22.16 on.
  }
}

/** A statement whose values may be numbered (`?1`), which Node binds by position only from 22.20 and 24.7 on. */
export class Prepared {
  readonly #statement: StatementSync;
  /** Of each `?` the value that it takes; null: in their order. */
  readonly #places: readonly number[] | null;

  constructor(database: DatabaseSync, sql: string) {
    const numbers = Array.from(sql.matchAll(/\?(\d+)/g), ([, number]) => Number(number) - 1);
    this.#places = numbers.length > 0 ? numbers : null;
    this.#statement = database.prepare(sql.replaceAll(/\?\d+/g, "?"));
  }

  all(values: readonly SqlValue[]): Row[] {
    return this.#statement.all(...this.#placed(values)) as Row[];
  }

  get(values: readonly SqlValue[]): Row | undefined {
    return this.#statement.get(...this.#placed(values)) as Row | undefined;
  }

  /** @returns rows changed */
  run(values: readonly SqlValue[]): number {
    return Number(this.#statement.run(...this.#placed(values)).changes);
  }

  #placed(values: readonly SqlValue[]): readonly SqlValue[] {
    return this.#places?.map((place) => values[place] ?? null) ?? values;
  }
}
