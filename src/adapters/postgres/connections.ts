import { setTimeout as sleep } from "node:timers/promises";
import type { ClientConfig, Pool, PoolClient, PoolConfig } from "pg";
import { Deadlines } from "../../deadlines.ts";
import { isDisconnected, isUnprepared } from "./failure.ts";

/** What is done in a connection, for the milliseconds that are left for it. */
export type Work<T> = (client: PoolClient, limitMs: number) => Promise<T>;

/** What a server that was told to stop, or is late, is left to say so in. */
const GRACE_MS = 250;
/** For a new connection; the pool's own limit is for one that is free again. */
const CONNECT_MS = 3000;
/** A connection that nobody has used for so long is closed. */
const IDLE_MS = 60_000;

/** What its types leave out. */
type Known = PoolClient & { readonly processID?: number; ref(): void; unref(): void };

/** A connection had died unnoticed while nobody used it, and nothing has been done in it. */
class Stale extends Error {}

/**
 * A pool of connections to one PostgreSQL. It outlives the server: connections that die are dropped, and made anew when they are
 * needed. Nothing is tried again, but where a connection had died while nobody used it.
 */
export class PostgresConnections {
  readonly #pool: Pool;
  /** Cancels what runs in the pool's connections, which may all be busy. */
  readonly #canceller: Pool;
  /** Of the pool's, those that nobody uses, the one used last at the end: asking the pool for one takes two timers and three turns. */
  readonly #free: { readonly client: Known; readonly since: number }[] = [];
  /** Those that said that they are over, maybe while they were used. */
  readonly #dead = new WeakSet<PoolClient>();
  readonly #deadlines = new Deadlines("PostgreSQL took too long.");
  readonly #sweeper: NodeJS.Timeout;
  #isEnding = false;

  /** Connects when it is first needed. */
  constructor(pg: Pick<typeof import("pg"), "Client" | "Pool">, config: PoolConfig) {
    class Client extends pg.Client {
      constructor(own?: ClientConfig) {
        // The pool hides it from what is copied.
        super({ ...own, password: config.password, connectionTimeoutMillis: CONNECT_MS });
      }
    }
    const pool = (change: PoolConfig) => {
      const made = new pg.Pool({ ...config, Client, idleTimeoutMillis: IDLE_MS, ...change });
      // A connection that the server ends is an event, which without a listener ends this process.
      made.on("error", () => undefined);
      made.on("connect", (client) => {
        const drop = () => this.#drop(client);
        client.on("error", drop).on("end", drop);
      });
      return made;
    };
    this.#pool = pool({});
    this.#canceller = pool({ max: 1 });
    this.#sweeper = setInterval(() => this.#sweep(), IDLE_MS / 2).unref();
  }

  /** In a connection that is closed afterwards. */
  async useOnce(work: (client: PoolClient) => Promise<void>): Promise<void> {
    const client = this.#takeFree() ?? (await this.#pool.connect());
    await work(client).finally(() => client.release(true));
  }

  /** In a connection of the pool. */
  async use<T>(signal: AbortSignal, until: number, work: Work<T>): Promise<T> {
    for (let tries = this.#pool.totalCount; ; tries--) {
      this.#deadlines.check(signal, until);
      const client = this.#takeFree() ?? (await this.#connect(signal, until));
      try {
        return await this.#workWith(client, signal, until, work);
      } catch (error) {
        if (!(error instanceof Stale)) throw error;
        if (tries <= 0) throw error.cause;
      }
    }
  }

  /** See `Deadlines`. */
  before<T>(pending: Promise<T>, signal: AbortSignal, until: number, onLeave?: () => void): Promise<T> {
    return this.#deadlines.before(pending, signal, until, onLeave);
  }

  #takeFree(): PoolClient | undefined {
    const client = this.#free.pop()?.client;
    client?.ref();
    return client;
  }

  /** For whoever waits for one, or for the next call. */
  #giveBack(given: PoolClient): void {
    const client = given as Known;
    if (this.#dead.has(client)) {
      destroy(client);
      return;
    }
    if (this.#isEnding || this.#pool.waitingCount > 0) {
      client.release();
      return;
    }
    // A connection that nobody uses keeps no process alive.
    client.unref();
    this.#free.push({ client, since: performance.now() });
  }

  /** If nobody uses it, nobody else tells the pool that it is not to be used again. */
  #drop(client: PoolClient): void {
    this.#dead.add(client);
    const at = this.#free.findIndex((one) => one.client === client);
    if (at < 0) return;
    this.#free.splice(at, 1);
    client.release(true);
  }

  #sweep(): void {
    const before = performance.now() - IDLE_MS;
    for (const { client, since } of [...this.#free]) if (since < before) this.#drop(client);
  }

  /** A connection that nobody else uses. Who leaves while waiting for one gives it back when it comes. */
  #connect(signal: AbortSignal, until: number): Promise<PoolClient> {
    const connecting = this.#pool.connect();
    return this.before(connecting, signal, until, () => {
      connecting.then(
        (client) => this.#giveBack(client),
        () => undefined,
      );
    });
  }

  /** The connection goes back once its work has ended; one whose work does not end though it was cancelled is destroyed. */
  #workWith<T>(client: PoolClient, signal: AbortSignal, until: number, work: Work<T>): Promise<T> {
    let released = false;
    let cancelling: Promise<boolean> | undefined;
    const release = (isBroken: boolean) => {
      if (released) return;
      released = true;
      if (isBroken) destroy(client);
      else if (!cancelling) this.#giveBack(client);
      else cancelling.then((isOver) => (isOver ? this.#giveBack(client) : destroy(client))).catch(() => undefined);
    };
    const working = begun(() => work(client, Math.max(1, until - performance.now())));
    working.then(
      () => release(false),
      (error) => release(error instanceof Stale || isDisconnected(error) || isUnprepared(error)),
    );
    // The server's own limit comes first, where it is alive.
    return this.before(working, signal, until + GRACE_MS, () => {
      if (released) return;
      cancelling = this.#cancel(client);
      setTimeout(() => release(true), GRACE_MS).unref();
    });
  }

  /** Whether it is over in time: what is done next in the connection would be cancelled in the place of this. */
  #cancel(client: PoolClient): Promise<boolean> {
    const { processID } = client as Known;
    const cancelling = this.#canceller.query("SELECT pg_cancel_backend($1)", [processID]);
    const isOver = cancelling.then(
      () => true,
      () => true,
    );
    return Promise.race([isOver, sleep(GRACE_MS, false, { ref: false })]);
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    clearInterval(this.#sweeper);
    for (const { client } of this.#free.splice(0)) client.release();
    await Promise.all([this.#pool.end(), this.#canceller.end()]);
  }
}

/** Ends it at once: the client's own end waits for a server that says nothing. */
function destroy(client: PoolClient): void {
  client.connection.stream.destroy();
  client.release(true);
}

/** Also what fails before there is a promise. */
async function begun<T>(work: () => Promise<T>): Promise<T> {
  return work();
}

/** Of what could not begin: another connection may do, where this one had died. */
export function unbegun(failure: unknown): unknown {
  return isDisconnected(failure) ? new Stale("", { cause: failure }) : failure;
}

/** What a transaction that failed to begin says. */
export function notBegun(failure: unknown): never {
  throw unbegun(failure);
}
