import type { ClientConfig, Pool, PoolClient, PoolConfig } from "pg";
import { RaglineError } from "../../errors.ts";
import { isDisconnected } from "./failure.ts";

/** What is done in a connection, for the milliseconds that are left for it. */
export type Work<T> = (client: PoolClient, limitMs: number) => Promise<T>;

/** What a server that was told to stop, or is late, is left to say so in. */
const GRACE_MS = 250;
/** For a new connection; the pool's own limit is for one that is free again. */
const CONNECT_MS = 3000;

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

  /** Connects when it is first needed. */
  constructor(pg: Pick<typeof import("pg"), "Client" | "Pool">, config: PoolConfig) {
    class Client extends pg.Client {
      constructor(own?: ClientConfig) {
        super({ ...own, connectionTimeoutMillis: CONNECT_MS });
      }
    }
    const pool = (change: PoolConfig) => {
      const made = new pg.Pool({ ...config, Client, ...change });
      // A connection that the server ends is an event, which without a listener ends this process.
      made.on("error", () => undefined);
      made.on("connect", (client) => client.on("error", () => undefined));
      return made;
    };
    this.#pool = pool({});
    this.#canceller = pool({ max: 1 });
  }

  /** In a connection that is closed afterwards. */
  async useOnce(work: (client: PoolClient) => Promise<void>): Promise<void> {
    const client = await this.#pool.connect();
    await work(client).finally(() => client.release(true));
  }

  /** In a connection of the pool. */
  async use<T>(signal: AbortSignal, until: number, work: Work<T>): Promise<T> {
    for (let tries = this.#pool.totalCount; ; tries--) {
      const client = await this.#connect(signal, until);
      try {
        return await this.#workWith(client, signal, until, work);
      } catch (error) {
        if (!(error instanceof Stale)) throw error;
        if (tries <= 0) throw error.cause;
      }
    }
  }

  /** A connection that nobody else uses. Who leaves while waiting for one gives it back when it comes. */
  async #connect(signal: AbortSignal, until: number): Promise<PoolClient> {
    const connecting = this.#pool.connect();
    const { idleCount, waitingCount } = this.#pool;
    const isFree = idleCount > 0 && idleCount >= waitingCount;
    if (isFree && !signal.aborted && performance.now() < until) return connecting;
    try {
      return await before(connecting, signal, until);
    } catch (error) {
      connecting.then(
        (client) => client.release(),
        () => undefined,
      );
      throw error;
    }
  }

  /** The connection goes back once its work has ended; one whose work does not end though it was cancelled is destroyed. */
  async #workWith<T>(client: PoolClient, signal: AbortSignal, until: number, work: Work<T>): Promise<T> {
    let released = false;
    const release = (isBroken: boolean) => {
      if (!released) client.release(isBroken);
      released = true;
    };
    const working = work(client, Math.max(1, until - performance.now()));
    working.then(
      () => release(false),
      (error) => release(error instanceof Stale || isDisconnected(error)),
    );
    try {
      // The server's own limit comes first, where it is alive.
      return await before(working, signal, until + GRACE_MS);
    } catch (error) {
      if (!released) this.#cancel(client, () => release(true));
      throw error;
    }
  }

  #cancel(client: PoolClient, destroy: () => void): void {
    setTimeout(destroy, GRACE_MS).unref();
    const { processID } = client as PoolClient & { readonly processID?: number };
    this.#canceller.query("SELECT pg_cancel_backend($1)", [processID]).catch(() => undefined);
  }

  async end(): Promise<void> {
    await Promise.all([this.#pool.end(), this.#canceller.end()]);
  }
}

/** @throws RaglineError `dependency_timeout`; or why the signal aborted */
export async function before<T>(pending: Promise<T>, signal: AbortSignal, until: number): Promise<T> {
  pending.catch(() => undefined);
  signal.throwIfAborted();
  if (performance.now() >= until) throw tooLate();
  let timer: NodeJS.Timeout | undefined;
  let abort = () => {};
  const late = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    timer = setTimeout(() => reject(tooLate()), until - performance.now());
  });
  try {
    return await Promise.race([pending, late]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

/** What a transaction that failed to begin says. */
export function notBegun(failure: unknown): never {
  throw isDisconnected(failure) ? new Stale("", { cause: failure }) : failure;
}

function tooLate(): RaglineError {
  return new RaglineError("dependency_timeout", "PostgreSQL took too long.");
}
