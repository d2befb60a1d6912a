import type { PoolClient, QueryConfig } from "pg";
import { leftBy, RaglineError } from "../../errors.ts";
import type { CallOptions } from "../../types.ts";
import { notBegun, PostgresConnections, type Work } from "./connections.ts";
import { behindPooler, type ConfigKey, isDisconnected, isMissing, postgresError } from "./failure.ts";
import type { StatementValue } from "./messages.ts";
import { PLAN_CACHE_MODE, type PostgresOptions, poolConfig } from "./options.ts";
import { type Ahead, type ReadWith, type Statement, valueQueries } from "./value-query.ts";

/** Runs one statement and gives its rows. Buffers go as binary, everything else as text. */
export type Query = <Row extends object>(sql: string, values?: readonly unknown[]) => Promise<Row[]>;

/** Runs one statement, and gives the value of its one row and column, as text; null: there is none. */
export type ReadValue = (sql: string, values?: readonly StatementValue[]) => Promise<string | null>;

/** The same by a query. */
export function readingValues(query: Query): ReadValue {
  return async (sql, values) => {
    const [row = {}] = await query<Record<string, string | null>>(sql, values);
    return Object.values(row)[0] ?? null;
  };
}

export interface PostgresUse {
  /** The part of the configuration that it is of. */
  readonly key: ConfigKey;
  /** Of every connection. */
  readonly settings: Readonly<Record<string, string | number>>;
  /** Makes the tables: before anything else, and again if it failed. */
  ensure(query: Query): Promise<void>;
}

/** Statements that are prepared: filters make ever new ones. */
const NAMES_MAX = 100;
/** The name of the statement that makes a transaction's settings: those of one use are always the same. */
const SETTINGS = "ragline_settings";
/** The last of them. */
const TIMEOUT = "statement_timeout";
/** The tables are there: nothing to wait for. */
const READY = Promise.resolve();

/** Statements and transactions in one PostgreSQL, each under a deadline. It outlives the server: see `PostgresConnections`. */
export class PostgresDatabase {
  readonly #use: PostgresUse;
  readonly #timeoutMs: number;
  readonly #connections: PostgresConnections;
  readonly #names = new Map<string, string>();
  /** Where `SETTINGS` is prepared. */
  readonly #prepared = new WeakSet<PoolClient>();
  readonly #read: ReadWith;
  #ensured: Promise<void> | null = null;

  /**
   * Connects when it is first needed.
   * @throws RaglineError `config_invalid`: the client is not installed, or the URL or the file of the authority cannot be read
   */
  static async open(use: PostgresUse, options: PostgresOptions): Promise<PostgresDatabase> {
    const { key, settings } = use;
    const { default: pg } = await import("pg").catch((cause) => {
      throw new RaglineError("config_invalid", `${key}.use: postgres needs its client: npm install pg@8`, { cause });
    });
    const connections = new PostgresConnections(pg, poolConfig(key, options, settings));
    return new PostgresDatabase(use, options.timeoutMs, connections, valueQueries(pg));
  }

  private constructor(use: PostgresUse, timeoutMs: number, connections: PostgresConnections, read: ReadWith) {
    this.#use = use;
    this.#timeoutMs = timeoutMs;
    this.#connections = connections;
    this.#read = read;
  }

  /** Before the next call, as there is something else to make. */
  ensureAgain(): void {
    this.#ensured = null;
  }

  /** One statement, one round trip. */
  query<Row extends object>(call: CallOptions, sql: string, values: readonly unknown[] = []): Promise<Row[]> {
    return this.#run(call, (client) => this.#queryOf(client)<Row>(sql, values));
  }

  /**
   * One transaction. `begin`: the statements that it begins with, for the milliseconds that a statement may take; one round
   * trip for all, their values escaped. What `work` throws undoes everything. `timeoutMs`: another limit than the pool's.
   */
  transaction<T>(
    call: CallOptions,
    begin: (limitMs: number) => string,
    work: (query: Query) => Promise<T>,
    timeoutMs = this.#timeoutMs,
  ): Promise<T> {
    const transact = async (client: PoolClient, limitMs: number) => {
      await client.query(begin(Math.ceil(limitMs))).catch(notBegun);
      try {
        const result = await work(this.#queryOf(client));
        await client.query("COMMIT");
        return result;
      } catch (error) {
        if (!isDisconnected(error)) await client.query("ROLLBACK");
        throw error;
      }
    };
    return this.#run(call, transact, timeoutMs);
  }

  /**
   * One transaction that only reads, begun as `transaction` is, in one round trip with the first statement where `work` makes it at
   * once. Its end is not waited for: whoever has the connection next comes after it.
   */
  reading<T>(
    call: CallOptions,
    begin: (limitMs: number) => string,
    work: (query: Query) => Promise<T>,
    timeoutMs = this.#timeoutMs,
  ): Promise<T> {
    const read = async (client: PoolClient, limitMs: number) => {
      const { stream } = client.connection;
      stream.cork();
      const begun = client.query(begin(Math.ceil(limitMs)));
      begun.catch(() => undefined);
      const working = work(this.#queryOf(client));
      stream.uncork();
      try {
        const [result] = await Promise.all([working, begun]);
        client.query("COMMIT").catch(() => undefined);
        return result;
      } catch (error) {
        await begun.catch(notBegun);
        if (!isDisconnected(error)) await client.query("ROLLBACK");
        throw error;
      }
    };
    return this.#run(call, read, timeoutMs);
  }

  /**
   * What one statement gives that reads one value, as text; null: nothing. `settings`, by name, hold for it alone. Both are one
   * transaction and one round trip.
   */
  value(
    call: CallOptions,
    settings: Readonly<Record<string, string>>,
    sql: string,
    values: readonly StatementValue[] = [],
  ): Promise<string | null> {
    return this.#run(call, (client, limitMs) => {
      const ahead = { name: SETTINGS, values: [...Object.values(settings), `${Math.ceil(limitMs)}`] };
      const statement = { text: sql, name: this.#nameOf(sql), values };
      if (this.#prepared.has(client)) return this.#read(client, ahead, statement);
      return this.#prepareAndRead(
        client,
        { ...ahead, text: settingAll([...Object.keys(settings), TIMEOUT]) },
        statement,
      );
    });
  }

  async #prepareAndRead(client: PoolClient, ahead: QueryConfig & Ahead, statement: Statement): Promise<string | null> {
    const { stream } = client.connection;
    stream.cork();
    const prepared = client.query(ahead);
    prepared.catch(() => this.#prepared.delete(client));
    this.#prepared.add(client);
    const reading = this.#read(client, ahead, statement);
    stream.uncork();
    try {
      return await reading;
    } catch (failure) {
      await prepared.catch(notBegun);
      throw failure;
    }
  }

  async close(): Promise<void> {
    await this.#connections.end();
  }

  async #run<T>(call: CallOptions, work: Work<T>, timeoutMs = this.#timeoutMs): Promise<T> {
    const { signal, deadline = Number.POSITIVE_INFINITY } = call;
    const until = Math.min(deadline, performance.now() + timeoutMs);
    try {
      this.#ensured ??= this.#makeTables();
      if (this.#ensured !== READY) await this.#connections.before(this.#ensured, signal, until);
      return await this.#connections.use(signal, until, work);
    } catch (cause) {
      if (isMissing(cause)) this.#ensured = null;
      if (signal.aborted) throw leftBy(signal);
      throw postgresError(this.#use.key, cause);
    }
  }

  async #makeTables(): Promise<void> {
    try {
      await this.#connections.useOnce(async (client) => {
        const query = this.#queryOf(client);
        await this.#checkSettings(query);
        await this.#use.ensure(query);
      });
      this.#ensured = READY;
    } catch (error) {
      this.#ensured = null;
      throw error;
    }
  }

  /** Whether the server was told what `poolConfig` asks for. Without values: a pooler may mix up what is prepared. */
  async #checkSettings(query: Query): Promise<void> {
    const [mode] = await query<{ plan_cache_mode: string }>("SHOW plan_cache_mode");
    if (mode?.plan_cache_mode !== PLAN_CACHE_MODE) throw behindPooler(this.#use.key);
  }

  /** A statement with values is prepared under a name, once a connection, so that its text is neither sent nor read again. */
  #queryOf(client: PoolClient): Query {
    return async <Row extends object>(text: string, values: readonly unknown[] = []) => {
      if (values.length === 0) return (await client.query(text)).rows as Row[];
      const name = this.#nameOf(text);
      const config = { text, values: [...values], ...(name !== undefined && { name }) };
      return (await client.query(config)).rows as Row[];
    };
  }

  #nameOf(text: string): string | undefined {
    let name = this.#names.get(text);
    if (name === undefined && this.#names.size < NAMES_MAX) {
      name = `ragline_${this.#names.size}`;
      this.#names.set(text, name);
    }
    return name;
  }
}

/** Sets each of these to a value, for one transaction. */
function settingAll(names: readonly string[]): string {
  return `SELECT ${names.map((name, i) => `set_config('${name}', $${i + 1}, true)`)}`;
}
