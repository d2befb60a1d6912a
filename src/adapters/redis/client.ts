import { readFileSync } from "node:fs";
import { RaglineError } from "../../errors.ts";
import { decodedPart } from "../../url-part.ts";

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

export type Redis = typeof import("@redis/client");
type Argument = string | Buffer;
export interface EvalOptions {
  readonly keys: string[];
  readonly arguments: Argument[];
}
export interface Scripting {
  evalSha(sha: string, options: EvalOptions): Promise<unknown>;
  eval(source: string, options: EvalOptions): Promise<unknown>;
}
export interface Values {
  mGet(keys: string[]): Promise<(Buffer | null)[]>;
  get(key: string): Promise<Buffer | null>;
}
interface Pipeline {
  eval(source: string, options: EvalOptions): Pipeline;
  wait(replicas: number, timeoutMs: number): Pipeline;
  execAsPipeline(): Promise<unknown[]>;
}
export interface Scanning {
  scan(
    cursor: string,
    options: { MATCH: string; COUNT: number; TYPE: string },
  ): Promise<{ readonly cursor: string; readonly keys: string[] }>;
}
/** What is used of the clients of one server, of Sentinel and of Cluster. */
export interface Client extends Scripting, Values, Scanning {
  /** Of a cluster. */
  readonly masters?: readonly unknown[];
  nodeClient?(node: unknown): Promise<Scanning> | Scanning;
  unlink(key: string): Promise<number>;
  multi(): Pipeline;
  set(key: string, value: Buffer, options: { expiration: { type: "PX"; value: number } }): Promise<unknown>;
  withTypeMapping(mapping: object): Scripting & Values;
  connect(): Promise<unknown>;
  destroy(): unknown;
  on(event: "error" | "ready", listener: (error: unknown) => void): unknown;
}

const PORT = { single: 6379, sentinel: 26379, cluster: 6379 };
const RECONNECT_MAX_MS = 1000;
/** A sentinel that says nothing for so long is given up for another one: calls wait while the client asks one. */
const SENTINEL_SILENCE_MAX_MS = 1000;
/** After a node of a cluster is gone for so long the others are asked which one has taken over. */
const REFRESH_MS = 500;
/** A server that says nothing for so long, not even to PING, is given up, and connected to anew. */
export const SILENCE_MAX_MS = 5000;

/** What makes a client, which then connects. @throws RaglineError `config_invalid` */
export function clientFactory(redis: Redis, options: RedisOptions, block: string): () => Client {
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
          sentinelClientOptions: {
            disableOfflineQueue: true,
            pingInterval: SENTINEL_SILENCE_MAX_MS / 4,
            socket: { ...socket, connectTimeout: SENTINEL_SILENCE_MAX_MS, socketTimeout: SENTINEL_SILENCE_MAX_MS },
            ...guard,
          },
        }) as unknown as Client;
    case "cluster":
      return () =>
        redis.createCluster({
          rootNodes: hosts.map((host) => ({ ...common, socket: { ...socket, ...host } })),
          defaults: common,
          topologyRefreshOnReconnectionAttemptStrategy: REFRESH_MS,
        }) as unknown as Client;
  }
}

export function backoffMs(attempt: number): number {
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
