import type pg from "pg";
import { unbegun } from "./connections.ts";
import { executed, type StatementValue } from "./messages.ts";

/** A statement that is prepared under its name, once a connection; undefined: each time. */
export interface Statement {
  readonly text: string;
  readonly name: string | undefined;
  readonly values: readonly StatementValue[];
}

/** A prepared statement of strings. */
export interface Ahead {
  readonly name: string;
  readonly values: string[];
}

/** Reads one value, as text, after another statement in one transaction; null: no row. */
export type ReadWith = (client: pg.PoolClient, ahead: Ahead, statement: Statement) => Promise<string | null>;

/** As the client keeps it: what it knows to be prepared, by name. */
type Preparing = pg.Connection & { readonly parsedStatements: Readonly<Record<string, string | undefined>> };

/**
 * Two statements as one of the client's queries: what is sent up to one Sync is one transaction. For each query of its own the client would
 * wait for an end of its own, and read what the columns are; and it would send each message by itself.
 */
export function valueQueries({ Query }: typeof pg): ReadWith {
  class ValueQuery extends Query {
    readonly name: string | undefined;
    readonly values: StatementValue[];
    readonly #ahead: Ahead;
    readonly #settle: PromiseWithResolvers<string | null>;
    #isBegun = false;
    #value: string | null = null;

    constructor(...[, ahead, { text, name, values }]: Parameters<ReadWith>) {
      // The client copies an object that it is given, which takes it longer than all that follows.
      super(text);
      this.name = name;
      this.values = [...values];
      this.#ahead = ahead;
      this.#settle = Promise.withResolvers();
    }

    get settled(): Promise<string | null> {
      return this.#settle.promise;
    }

    override submit = (connection: pg.Connection) => {
      const { name } = this;
      if (name !== undefined && (connection as Preparing).parsedStatements[name] !== undefined) {
        connection.stream.write(executed([this.#ahead, { name, values: this.values }]));
        return null;
      }
      connection.stream.cork();
      try {
        connection.bind({ statement: this.#ahead.name, values: this.#ahead.values }, true);
        connection.execute(null, true);
        return Query.prototype.submit.call(this, connection);
      } finally {
        connection.stream.uncork();
      }
    };

    handleRowDescription(): void {}

    handleDataRow({ fields: [value] }: { readonly fields: readonly (string | null)[] }): void {
      if (this.#isBegun) this.#value = value ?? null;
    }

    handleCommandComplete(): void {
      this.#isBegun = true;
    }

    handleError(cause: Error): void {
      this.#settle.reject(this.#isBegun ? cause : unbegun(cause));
    }

    handleReadyForQuery(): void {
      this.#settle.resolve(this.#value);
    }
  }
  return (...asked) => asked[0].query(new ValueQuery(...asked)).settled;
}
