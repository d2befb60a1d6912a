import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { RaglineError } from "../../errors.ts";
import { decodedPart } from "../../url-part.ts";
import { reasonOf } from "./reasons.ts";

export interface Script {
  readonly source: string;
  readonly sha: string;
}

export interface RedisOptions {
  /** `redis[s]://[user:password@]host[:port][,host[:port] …][/database]`; several hosts for Sentinel and Cluster. */
  readonly url: string;
  readonly topology: "single" | "sentinel" | "cluster";
  /** What the sentinels call the master. */
  readonly sentinelMaster: string;
  /** Of the sentinels, where they have one; `url` holds user and password of the servers. */
  readonly sentinelPassword?: string | undefined;
  /** PEM file of the authority behind a `rediss:` server's certificate, where the system does not know it. */
  readonly caFile?: string | undefined;
  /** Limit for one round trip. */
  readonly timeoutMs: number;
}

type Redis = typeof import("@redis/client");
type Argument = string | Buffer;
interface EvalOptions {
  readonly keys: string[];
  readonly arguments: Argument[];
}
interface Scripting {
  evalSha(sha: string, options: EvalOptions): Promise<unknown>;
  eval(source: string, options: EvalOptions): Promise<unknown>;
}
interface Values {
  mGet(keys: string[]): Promise<(Buffer | null)[]>;
  get(key: string): Promise<Buffer | null>;
}
interface Pipeline {
  eval(source: string, options: EvalOptions): Pipeline;
  wait(replicas: number, timeoutMs: number): Pipeline;
  execAsPipeline(): Promise<unknown[]>;
}
interface Client extends Scripting, Values {
  multi(): Pipeline;
  set(key: string, value: Buffer, options: { expiration: { type: "PX"; value: number } }): Promise<unknown>;
  withTypeMapping(mapping: object): Scripting & Values;
  connect(): Promise<unknown>;
  destroy(): unknown;
  on(event: "error" | "ready", listener: (error: unknown) => void): unknown;
}

const PORT = { single: 6379, sentinel: 26379, cluster: 6379 };
const RECONNECT_MAX_MS = 1000;
/** A server that says nothing for so long, not even to PING, is given up, and connected to anew. */
const SILENCE_MAX_MS = 5000;
/** Limit for storing values, which nobody waits for. */
const STORE_MAX_MS = 2000;

/** One or several Redis servers. It connects, and reconnects, by itself and for ever. */
export class RedisConnection {
  readonly #redis: Redis;
  readonly #options: RedisOptions;
  /** Of the configuration, for messages. */
  readonly #block: string;
  #client: Client | null = null;
  /** Why the last connection could not be made; null once one was. */
  #refused: unknown = null;
  readonly #connected: Promise<void>;
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
    const create = clientFactory(redis, options, block);
    this.#connected = this.#connect(create);
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
   * connection no longer waits for it, or never will, which may be after the limit.
   * @returns the script's reply, and how many replicas have it. @throws RaglineError `dependency_failed`
   */
  async runReplicated(
    script: Script,
    key: string,
    values: readonly (string | number | Uint8Array)[],
    { replicas, waitMs, onOver }: { readonly replicas: number; readonly waitMs: number; onOver(): void },
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
    return this.#within(this.#options.timeoutMs + waitMs, call, onOver);
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

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#client?.destroy();
  }

  /** Strings come as Buffers. */
  #binary(client: Client): Scripting & Values {
    return client.withTypeMapping({ [this.#redis.RESP_TYPES.BLOB_STRING]: Buffer });
  }

  /** `onOver`: the call has ended, or is not going to be made, whatever the limit has made of it. */
  async #within<T>(limitMs: number, call: (client: Client) => Promise<T>, onOver = () => {}): Promise<T> {
    const timer = new AbortController();
    const limit = sleep(limitMs, undefined, { signal: timer.signal }).then(() => {
      throw new Error(`no reply within ${limitMs} ms`);
    });
    try {
      const reply = this.#connectedClient().then((client) => {
        // What was given up while there was no connection is not sent.
        timer.signal.throwIfAborted();
        return call(client);
      });
      reply.finally(onOver).catch(() => undefined);
      const answered = await Promise.race([reply, limit]);
      this.#refused = null;
      return answered;
    } catch (cause) {
      const reason = reasonOf(this.#refused ?? cause, this.#block, this.#client !== null);
      throw new RaglineError("dependency_failed", reason, { cause: this.#refused ?? cause });
    } finally {
      limit.catch(() => undefined);
      timer.abort();
    }
  }

  async #connectedClient(): Promise<Client> {
    if (!this.#client) await this.#connected;
    if (!this.#client) throw new Error("closed");
    return this.#client;
  }

  /** A single server's client retries its first connection itself; those of Sentinel and Cluster give up, and are made anew. */
  async #connect(create: () => Client): Promise<void> {
    for (let attempt = 0; !this.#closing.signal.aborted; attempt++) {
      const client = create();
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
        this.#client = client;
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

function evalOptions(key: string, values: readonly (string | number | Uint8Array)[]): EvalOptions {
  const given = values.map((value) => (value instanceof Uint8Array ? Buffer.from(value) : String(value)));
  return { keys: [key], arguments: given };
}

function clientFactory(redis: Redis, options: RedisOptions, block: string): () => Client {
  const { hosts, username, password, database, tls } = parseUrl(options, block);
  const socket = {
    ...(tls && { tls: true as const, ...(options.caFile && { ca: readCa(options.caFile, block) }) }),
    connectTimeout: 2000,
    socketTimeout: SILENCE_MAX_MS,
    reconnectStrategy: backoffMs,
  };
  const login = { ...(username && { username }), ...(password && { password }) };
  const guard = options.sentinelPassword && { password: options.sentinelPassword };
  const common = { ...login, disableOfflineQueue: true, pingInterval: SILENCE_MAX_MS / 4, socket };
  const [first = { host: "localhost", port: PORT.single }] = hosts;
  switch (options.topology) {
    case "single":
      return () => redis.createClient({ ...common, database, socket: { ...socket, ...first } }) as unknown as Client;
    case "sentinel":
      return () =>
        redis.createSentinel({
          name: options.sentinelMaster,
          sentinelRootNodes: hosts,
          nodeClientOptions: { ...common, database },
          sentinelClientOptions: { disableOfflineQueue: true, socket, ...guard },
          scanInterval: 1000,
        }) as unknown as Client;
    case "cluster":
      return () =>
        redis.createCluster({
          rootNodes: hosts.map((host) => ({ ...common, socket: { ...socket, ...host } })),
          defaults: common,
        }) as unknown as Client;
  }
}

function backoffMs(attempt: number): number {
  return Math.min(RECONNECT_MAX_MS, 20 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2);
}

function readCa(file: string, block: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new RaglineError("config_invalid", `${block}.caFile: ${file} cannot be read`, { cause });
  }
}

function parseUrl({ url, topology, caFile }: RedisOptions, block: string) {
  const match = /^(rediss?):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/?#]+)(?:\/(\d+)?)?$/.exec(url);
  const [, scheme, username = "", password = "", list = "", database = "0"] = match ?? [];
  const hosts = list.split(",").map((item) => {
    const [, ipv6, name, port] = /^(?:\[([\da-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/i.exec(item) ?? [];
    return { host: ipv6 ?? name ?? "", port: Number(port ?? PORT[topology]) };
  });
  if (!match || hosts.some(({ host }) => host === "")) {
    throw new RaglineError(
      "config_invalid",
      `${block}.url: must be redis[s]://[user:password@]host[:port][,…][/database]`,
    );
  }
  if (scheme === "redis" && caFile !== undefined) {
    throw new RaglineError("config_invalid", `${block}.caFile: only a rediss: URL is spoken to over TLS`);
  }
  if (topology === "single" && hosts.length > 1) {
    throw new RaglineError("config_invalid", `${block}.url: several hosts need ${block}.topology: sentinel or cluster`);
  }
  if (topology === "cluster" && database !== "0") {
    throw new RaglineError("config_invalid", `${block}.url: a cluster has database 0 only`);
  }
  return {
    hosts,
    username: decodedPart(`${block}.url`, username),
    password: decodedPart(`${block}.url`, password),
    database: Number(database),
    tls: scheme === "rediss",
  };
}
