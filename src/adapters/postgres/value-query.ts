import type pg from "pg";

/** A statement that is prepared under its name, once a connection; undefined: each time. */
export interface Statement {
  readonly text: string;
  readonly name: string | undefined;
  readonly values: readonly unknown[];
}

/** The connection died before the server did anything. */
export class NotBegun extends Error {}

/** Reads one value, as text, after another statement (`ahead`, prepared, of strings) in one transaction; null: no row. */
export type ReadWith = (
  client: pg.PoolClient,
  ahead: { readonly name: string; readonly values: readonly string[] },
  statement: Statement,
) => Promise<string | null>;

/**
 * Two statements as one of the client's queries: what is sent up to one Sync is one transaction. For each query of its own the client would
 * wait for an end of its own, and read what the columns are.
 */
export function valueQueries({ Query }: typeof pg): ReadWith {
  class ValueQuery extends Query {
    readonly name: string | undefined;
    readonly values: unknown[];
    readonly #ahead: Parameters<ReadWith>[1];
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
      connection.stream.cork();
      try {
        const { name, values } = this.#ahead;
        connection.bind({ statement: name, values: [...values] }, true);
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
      this.#settle.reject(this.#isBegun ? cause : new NotBegun("", { cause }));
    }

    handleReadyForQuery(): void {
      this.#settle.resolve(this.#value);
    }
  }
  return (...asked) => asked[0].query(new ValueQuery(...asked)).settled;
}
