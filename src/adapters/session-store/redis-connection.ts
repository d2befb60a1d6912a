import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { RaglineError } from "../../errors.ts";
import type { Script } from "./redis-scripts.ts";

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
interface Client extends Scripting {
  connect(): Promise<unknown>;
  destroy(): unknown;
  on(event: "error" | "ready", listener: (error: unknown) => void): unknown;
}

const PORT = { single: 6379, sentinel: 26379, cluster: 6379 };
const RECONNECT_MAX_MS = 1000;
/** A server that says nothing for so long, not even to PING, is given up, and connected to anew. */
const SILENCE_MAX_MS = 5000;

/** One or several Redis servers that run scripts. It connects, and reconnects, by itself and for ever. */
export class RedisConnection {
  readonly #redis: Redis;
  readonly #options: RedisOptions;
  #client: Client | null = null;
  /** Why the last connection could not be made; null once one was. */
  #refused: unknown = null;
  readonly #connected: Promise<void>;
  readonly #closing = new AbortController();

  /** @throws RaglineError `config_invalid`: the client is not installed, or the URL or the file of the authority cannot be read. */
  static async open(options: RedisOptions): Promise<RedisConnection> {
    const redis = await import("@redis/client").catch((cause) => {
      throw new RaglineError("config_invalid", "session.use: redis needs its client: npm install @redis/client@6", {
        cause,
      });
    });
    return new RedisConnection(redis, options);
  }

  private constructor(redis: Redis, options: RedisOptions) {
    this.#redis = redis;
    this.#options = options;
    const create = clientFactory(redis, options);
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
    const options = {
      keys: [key],
      arguments: values.map((value) => (value instanceof Uint8Array ? Buffer.from(value) : String(value))),
    };
    const timer = new AbortController();
    const limit = sleep(this.#options.timeoutMs, undefined, { signal: timer.signal }).then(() => {
      throw new Error(`no reply within ${this.#options.timeoutMs} ms`);
    });
    try {
      const reply = this.#evaluate(script, options, binary);
      reply.catch(() => undefined);
      const answered = await Promise.race([reply, limit]);
      this.#refused = null;
      return answered;
    } catch (cause) {
      throw new RaglineError("dependency_failed", reasonOf(this.#refused ?? cause), { cause: this.#refused ?? cause });
    } finally {
      limit.catch(() => undefined);
      timer.abort();
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#client?.destroy();
  }

  async #evaluate({ source, sha }: Script, options: EvalOptions, binary: boolean): Promise<unknown> {
    if (!this.#client) await this.#connected;
    const client = this.#client as (Client & { withTypeMapping(mapping: object): Scripting }) | null;
    if (!client) throw new Error("closed");
    const scripting = binary ? client.withTypeMapping({ [this.#redis.RESP_TYPES.BLOB_STRING]: Buffer }) : client;
    try {
      return await scripting.evalSha(sha, options);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith("NOSCRIPT"))) throw error;
      return scripting.eval(source, options);
    }
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

function clientFactory(redis: Redis, options: RedisOptions): () => Client {
  const { hosts, username, password, database, tls } = parseUrl(options);
  const socket = {
    ...(tls && { tls: true as const, ...(options.caFile && { ca: readCa(options.caFile) }) }),
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

const AUTHENTICATION = /WRONGPASS|NOAUTH|NOPERM|invalid password|Client sent AUTH|without any password/i;
const CERTIFICATE = /CERT|certificate|issuer|ERR_TLS|self.signed/i;

/** For clients and for readiness: what to look at, never what the server said. */
function reasonOf(cause: unknown): string {
  const { message = "", code = "" } = cause instanceof Error ? (cause as NodeJS.ErrnoException) : {};
  const text = `${code} ${message}`;
  if (AUTHENTICATION.test(text)) return "Redis refuses user or password of session.url.";
  if (CERTIFICATE.test(text)) return "The certificate of Redis is not trusted: see session.caFile.";
  return "Redis did not answer in time, or refused.";
}

function readCa(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new RaglineError("config_invalid", `session.caFile: ${file} cannot be read`, { cause });
  }
}

function parseUrl({ url, topology }: RedisOptions) {
  const match = /^(rediss?):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/?#]+)(?:\/(\d+)?)?$/.exec(url);
  const [, scheme, username = "", password = "", list = "", database = "0"] = match ?? [];
  const hosts = list.split(",").map((item) => {
    const [, ipv6, name, port] = /^(?:\[([\da-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/i.exec(item) ?? [];
    return { host: ipv6 ?? name ?? "", port: Number(port ?? PORT[topology]) };
  });
  if (!match || hosts.some(({ host }) => host === "")) {
    throw new RaglineError(
      "config_invalid",
      "session.url: must be redis[s]://[user:password@]host[:port][,…][/database]",
    );
  }
  if (topology === "single" && hosts.length > 1) {
    throw new RaglineError("config_invalid", "session.url: several hosts need session.topology: sentinel or cluster");
  }
  if (topology === "cluster" && database !== "0") {
    throw new RaglineError("config_invalid", "session.url: a cluster has database 0 only");
  }
  return {
    hosts,
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: Number(database),
    tls: scheme === "rediss",
  };
}
