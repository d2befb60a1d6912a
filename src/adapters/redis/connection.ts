import { setTimeout as sleep } from "node:timers/promises";
import { RaglineError } from "../../errors.ts";
import {
  backoffMs,
  type Client,
  clientFactory,
  type EvalOptions,
  type Redis,
  type RedisOptions,
  type Scanning,
  type Scripting,
  SILENCE_MAX_MS,
  type Values,
} from "./client.ts";
import { reasonOf } from "./reasons.ts";

export interface Script {
  readonly source: string;
  readonly sha: string;
}

/** Limit for storing values in the background. */
const STORE_MAX_MS = 2000;
/** Keys that one `SCAN` looks at: some 0.1 ms, in which the server does nothing else. */
const SCANNED_AT_ONCE = 1000;

/** One or several Redis servers. It connects, and reconnects, by itself and for ever. */
export class RedisConnection {
  readonly #redis: Redis;
  readonly #options: RedisOptions;
  /** Of the configuration, for messages. */
  readonly #block: string;
  #client: Client | null = null;
  /** Why the last attempt to connect failed; null after one that succeeded. */
  #refused: unknown = null;
  readonly #create: () => Client;
  readonly #connected: Promise<void>;
  #isReplacing = false;
  readonly #closing = new AbortController();

  /** @throws RaglineError `config_invalid`: the client is not installed, or the URL or the file of the authority cannot be read. */
  static async open(options: RedisOptions, block = "session"): Promise<RedisConnection> {
    const redis = await import("@redis/client").catch((cause) => {
      throw new RaglineError("config_invalid", `${block}.use: redis needs its client: npm install @redis/client@6`, {
        cause,
      });
    });
    return new RedisConnection(redis, options, block);
  }

  private constructor(redis: Redis, options: RedisOptions, block: string) {
    this.#redis = redis;
    this.#options = options;
    this.#block = block;
    this.#create = clientFactory(redis, options, block);
    this.#connected = this.#connect();
  }

  /**
   * Runs a script on one key: one round trip. Strings of the reply are Buffers where `binary`.
   * @throws RaglineError `dependency_failed`: no connection, no reply within the limit, or Redis refuses.
   */
  async run(
    script: Script,
    key: string,
    values: readonly (string | number | Uint8Array)[],
    binary = false,
  ): Promise<unknown> {
    const options = evalOptions(key, values);
    return this.#within(this.#options.timeoutMs, async (client) => {
      const scripting = binary ? this.#binary(client) : client;
      try {
        return await scripting.evalSha(script.sha, options);
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
        return scripting.eval(script.source, options);
      }
    });
  }

  /**
   * Runs a script on one key, which may be twice, then waits until so many replicas have what it wrote, or `waitMs` have passed: on one connection, whose
   * other calls wait meanwhile, as Redis counts what this connection has written. A replica has it in memory. `onOver`: the
   * connection no longer waits for it, or never will, which may be after the limit. `othersMs`: what the others may take.
   * @returns the script's reply, and how many replicas have it. @throws RaglineError `dependency_failed`
   */
  async runReplicated(
    script: Script,
    key: string,
    values: readonly (string | number | Uint8Array)[],
    {
      replicas,
      waitMs,
      othersMs,
      onOver,
    }: { readonly replicas: number; readonly waitMs: number; readonly othersMs: number; onOver(): void },
  ): Promise<{ readonly reply: unknown; readonly replicas: number }> {
    const options = evalOptions(key, values);
    const call = async (client: Client) => {
      const inOne = () => client.multi().eval(script.source, options).wait(replicas, waitMs).execAsPipeline();
      const [reply, acknowledged] = await inOne().catch(async (error: unknown) => {
        if (!(error instanceof Error && error.message.startsWith("MOVED"))) throw error;
        // The client follows that for a single call alone, and knows afterwards where the slot is.
        await client.eval(script.source, options);
        return inOne();
      });
      return { reply, replicas: Number(acknowledged) };
    };
    return this.#within(this.#options.timeoutMs + waitMs, call, { onOver, silenceMs: othersMs + SILENCE_MAX_MS });
  }

  /** What stands under the keys, or null, in order: one round trip, in a cluster one a node. @throws RaglineError `dependency_failed` */
  values(keys: readonly string[]): Promise<(Buffer | null)[]> {
    return this.#within(this.#options.timeoutMs, (client) => {
      const reading = this.#binary(client);
      return this.#options.topology === "cluster"
        ? Promise.all(keys.map((key) => reading.get(key)))
        : reading.mGet([...keys]);
    });
  }

  /** Stores values for so long. @throws RaglineError `dependency_failed`, also where some were stored. */
  async store(entries: readonly (readonly [key: string, value: Buffer])[], ttlMs: number): Promise<void> {
    const options = { expiration: { type: "PX", value: ttlMs } } as const;
    await this.#within(STORE_MAX_MS, (client) =>
      Promise.all(entries.map(([key, value]) => client.set(key, value, options))),
    );
  }

  /**
   * Deletes every hash whose key begins so and goes on, on each master, looking at all keys there. What is written meanwhile may stay, as may what a cluster
   * moves to another master, or a failover lets be looked at from another point on. @returns how many there were of those that count. @throws RaglineError `dependency_failed`, also where some are gone
   */
  async unlinkHashes(prefix: string, counts: (key: string) => boolean, signal: AbortSignal): Promise<number> {
    const { timeoutMs } = this.#options;
    const masters = await this.#within(
      timeoutMs,
      async (client): Promise<Scanning[]> =>
        client.masters
          ? Promise.all(client.masters.map(async (node) => (await client.nodeClient?.(node)) ?? client))
          : [client],
    );
    const options = { MATCH: `${literal(prefix)}?*`, COUNT: SCANNED_AT_ONCE, TYPE: "hash" };
    let deleted = 0;
    for (const master of masters) {
      let cursor = "0";
      do {
        signal.throwIfAborted();
        const found = await this.#within(timeoutMs, () => master.scan(cursor, options));
        const unlinked = await this.#within(timeoutMs, (client) =>
          Promise.all(found.keys.map((key) => client.unlink(key))),
        );
        for (const [i, key] of found.keys.entries()) if (counts(key)) deleted += unlinked[i] ?? 0;
        cursor = found.cursor;
      } while (cursor !== "0");
    }
    return deleted;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#client?.destroy();
  }

  /** Strings come as Buffers. */
  #binary(client: Client): Scripting & Values {
    return client.withTypeMapping({ [this.#redis.RESP_TYPES.BLOB_STRING]: Buffer });
  }

  /**
   * `onOver`: the call has ended, or is not going to be made, whatever the limit has made of it. `silenceMs`: a connection that has
   * not answered it so long after the limit is given up.
   */
  async #within<T>(
    limitMs: number,
    call: (client: Client) => Promise<T>,
    { onOver = () => {}, silenceMs = SILENCE_MAX_MS } = {},
  ): Promise<T> {
    const timer = new AbortController();
    let asked: Client | undefined;
    const limit = sleep(limitMs, undefined, { signal: timer.signal }).then(() => {
      throw new Error(`no reply within ${limitMs} ms`);
    });
    const reply = this.#connectedClient().then((client) => {
      // What was given up while there was no connection is not sent.
      timer.signal.throwIfAborted();
      asked = client;
      return call(client);
    });
    reply.finally(onOver).catch(() => undefined);
    limit.catch(() => {
      if (asked && !timer.signal.aborted) this.#watch(asked, reply, silenceMs);
    });
    try {
      const answered = await Promise.race([reply, limit]);
      this.#refused = null;
      return answered;
    } catch (cause) {
      const reason = reasonOf(this.#refused ?? cause, this.#block, this.#client !== null);
      throw new RaglineError("dependency_failed", reason, { cause: this.#refused ?? cause });
    } finally {
      timer.abort();
    }
  }

  /** The client's own limit of silence counts what is written as well, so that calls that go on hide a machine that is gone. */
  #watch(asked: Client, reply: Promise<unknown>, silenceMs: number): void {
    const silence = setTimeout(() => this.#replace(asked), silenceMs).unref();
    reply.finally(() => clearTimeout(silence)).catch(() => undefined);
  }

  /** Beside it, until the new one is connected: it may be well again before. */
  #replace(silent: Client): void {
    if (this.#client !== silent || this.#isReplacing) return;
    this.#isReplacing = true;
    void this.#connect().finally(() => {
      this.#isReplacing = false;
    });
  }

  async #connectedClient(): Promise<Client> {
    if (!this.#client) await this.#connected;
    if (!this.#client) throw new Error("closed");
    return this.#client;
  }

  /** A single server's client retries its first connection itself; those of Sentinel and Cluster give up, and are made anew. */
  async #connect(): Promise<void> {
    for (let attempt = 0; !this.#closing.signal.aborted; attempt++) {
      const client = this.#create();
      client.on("error", (error) => {
        this.#refused = error;
      });
      client.on("ready", () => {
        this.#refused = null;
      });
      const destroy = () => void client.destroy();
      this.#closing.signal.addEventListener("abort", destroy, { once: true });
      try {
        await client.connect();
        const former = this.#client;
        this.#client = client;
        if (former) void destroyed(former).catch(() => undefined);
        this.#refused = null;
        return;
      } catch (error) {
        this.#refused = error;
        await sleep(backoffMs(attempt), undefined, { signal: this.#closing.signal }).catch(() => undefined);
      } finally {
        this.#closing.signal.removeEventListener("abort", destroy);
      }
    }
  }
}

async function destroyed(client: Client): Promise<void> {
  await client.destroy();
}

/** The text escaped, as a glob pattern that matches only itself. */
function literal(text: string): string {
  return text.replaceAll(/[*?[\]\\^-]/g, "\\$&");
}

function evalOptions(key: string, values: readonly (string | number | Uint8Array)[]): EvalOptions {
  const given = values.map((value) => (value instanceof Uint8Array ? Buffer.from(value) : String(value)));
  return { keys: [key], arguments: given };
}
