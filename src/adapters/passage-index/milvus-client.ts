import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { ClientConfig, MilvusClient } from "@zilliz/milvus2-sdk-node";
import { RaglineError } from "../../errors.ts";
import type { CallOptions } from "../../types.ts";
import { MilvusChannel } from "./milvus-channel.ts";
import { checkedResponse, failureOf, isNotLoaded, isUnreachable, tooLate } from "./milvus-failures.ts";
import {
  type FoundPlaces,
  type FoundRows,
  type QueryMessage,
  queryMessage,
  readPlaces,
  readRows,
  type SearchMessage,
  searchMessage,
} from "./milvus-messages.ts";

export interface MilvusOptions {
  /** `http[s]://host[:port]`. */
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Instead of a user's name and password. */
  readonly token?: string | undefined;
  readonly database?: string | undefined;
  /** PEM file of the authority behind an `https:` server's certificate, where the system does not know it. */
  readonly caFile?: string | undefined;
}

/** One call: it is told how long it may take, and may say what is to be done if nobody waits for it any more. */
export type MilvusCall<T> = (
  client: MilvusClient,
  timeout: number,
  onLeave: (cancel: () => void) => void,
) => Promise<T>;

/** Where the caller sets no limit. */
const LIMIT_MS = 60_000;
const NOT_LOADED_PAUSE_MS = 100;
/** Calls at once on the one connection; further ones wait. */
const CALLS_MAX = 256;

/**
 * The vendor's client with its habits put off: it does not retry, connects when it is first used, and sends no telemetry. Its calls
 * know no abort signal: who leaves is let go at once, and an answer that comes later is nobody's. What searches read goes past it,
 * on a connection of its own.
 */
export class MilvusConnection {
  readonly #client: MilvusClient;
  readonly #channel: MilvusChannel;
  #version: string | null = null;
  #lastChange: Promise<unknown> = Promise.resolve();

  /** @throws RaglineError `config_invalid`: the client is not installed, or the authority's file cannot be read, or is of no use */
  static async open(options: MilvusOptions): Promise<MilvusConnection> {
    const { MilvusClient: Client } = await import("@zilliz/milvus2-sdk-node").catch((cause) => {
      const message = "search.use: milvus needs its client: npm install @zilliz/milvus2-sdk-node@3";
      throw new RaglineError("config_invalid", message, { cause });
    });
    const ca = authorityOf(options);
    const client = new Client(clientConfig(options, ca));
    // Its last one retries, takes what the server does not know for a success, and makes JSON of every message for a log that
    // nobody keeps, which took most of a search's CPU. There is no connection yet that has it.
    const { interceptors = [] } = client.channelOptions;
    client.channelOptions.interceptors = interceptors.slice(0, -1);
    return new MilvusConnection(client, new MilvusChannel(channelOptions(options, ca)));
  }

  private constructor(client: MilvusClient, channel: MilvusChannel) {
    this.#client = client;
    this.#channel = channel;
  }

  /** Of the nearest to one vector: see `readPlaces`. */
  search(message: SearchMessage, wanted: number, tolerance: number, options: CallOptions): Promise<FoundPlaces> {
    const read = (bytes: Buffer) => readPlaces(bytes, wanted, tolerance);
    return this.#read("Search", message.collection, searchMessage(message), read, options);
  }

  query(message: QueryMessage, options: CallOptions): Promise<FoundRows> {
    return this.#read("Query", message.collection, queryMessage(message), readRows, options);
  }

  #read<T extends object>(
    name: string,
    collection: string,
    message: Buffer,
    read: (bytes: Buffer) => T,
    options: CallOptions,
  ): Promise<T> {
    const call: MilvusCall<T> = async (_, timeout, onLeave) => {
      const { answer, cancel } = this.#channel.call(SERVICE + name, message, timeout);
      onLeave(cancel);
      return read(await answer);
    };
    return this.loaded(collection, name, call, options);
  }

  /**
   * The response of a call that may be repeated; it is, once, where the connection was lost.
   * @throws RaglineError `dependency_failed`, `dependency_timeout`, `cancelled`
   */
  async request<T extends object>(name: string, call: MilvusCall<T>, options: CallOptions): Promise<T> {
    try {
      return await this.once(name, call, options);
    } catch (thrown) {
      if (!isUnreachable(thrown)) throw thrown;
      return this.once(name, call, options);
    }
  }

  /** As `request`, of a collection that is loaded where it is not, within the caller's time. */
  async loaded<T extends object>(
    collection: string,
    name: string,
    call: MilvusCall<T>,
    options: CallOptions,
  ): Promise<T> {
    for (const until = deadlineOf(options); ; ) {
      try {
        return await this.request(name, call, options);
      } catch (thrown) {
        if (!isNotLoaded(thrown) || performance.now() + NOT_LOADED_PAUSE_MS > until) throw thrown;
      }
      const load: MilvusCall<object> = (client, timeout) =>
        client.loadCollectionAsync({ collection_name: collection, timeout });
      await this.once("LoadCollection", load, options).catch(() => undefined);
      await sleep(NOT_LOADED_PAUSE_MS);
    }
  }

  /** The response of a call that must not be repeated. */
  async once<T extends object>(name: string, call: MilvusCall<T>, options: CallOptions): Promise<T> {
    const { signal } = options;
    if (signal.aborted) throw reasonOf(signal);
    const leftMs = Math.ceil(deadlineOf(options) - performance.now());
    if (leftMs <= 0) throw tooLate();
    const end = Promise.withResolvers<never>();
    const timer = setTimeout(() => end.reject(tooLate()), leftMs);
    const onAbort = () => end.reject(reasonOf(signal));
    signal.addEventListener("abort", onAbort, { once: true });
    let cancel: (() => void) | undefined;
    const answer = call(this.#client, leftMs, (cancelling) => {
      cancel = cancelling;
    });
    answer.catch(() => undefined);
    try {
      return checkedResponse(name, await Promise.race([answer, end.promise]));
    } catch (thrown) {
      cancel?.();
      throw failureOf(name, thrown);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** As the server says it: `v2.3.5`, `milvus_lite-3.2.2`. */
  async version(options: CallOptions): Promise<string> {
    const { version = "" } = await this.request(
      "GetVersion",
      (client) => client.getVersion() as Promise<{ readonly status: object; readonly version?: string }>,
      options,
    );
    return version;
  }

  /**
   * Runs what changes rows. One after another on Milvus Lite: what it is told at the same time it writes into each other in its
   * log, and when it starts again after a kill, everything from there on is gone.
   */
  async change<T>(run: () => Promise<T>, options: CallOptions): Promise<T> {
    this.#version ??= await this.version(options);
    if (!isLite(this.#version)) return run();
    const change = this.#lastChange.then(run);
    this.#lastChange = change.catch(() => undefined);
    return change;
  }

  async close(): Promise<void> {
    this.#channel.close();
    await this.#client.closeConnection();
  }
}

export function isLite(version: string): boolean {
  return /^milvus[_-]lite/.test(version);
}

function deadlineOf({ deadline = Number.POSITIVE_INFINITY }: CallOptions): number {
  return Math.min(deadline, performance.now() + LIMIT_MS);
}

function reasonOf({ reason }: AbortSignal): RaglineError {
  return reason instanceof RaglineError ? reason : new RaglineError("cancelled", "The caller left.", { cause: reason });
}

const SERVICE = "/milvus.proto.milvus.MilvusService/";

function channelOptions({ username, password, token, database, url }: MilvusOptions, ca: Buffer | undefined) {
  const secret = token ?? (username !== undefined && password !== undefined ? `${username}:${password}` : undefined);
  const headers = {
    ...(secret !== undefined && { authorization: Buffer.from(secret).toString("base64") }),
    ...(database !== undefined && { dbname: database }),
  };
  const { protocol, hostname } = new URL(url);
  return { url: `${protocol}//${hostname}:${portOf(url)}`, headers, ca };
}

function portOf(url: string): string {
  const [, port = url.startsWith("https:") ? "443" : "19530"] = /:(\d+)\/?$/.exec(url) ?? [];
  return port;
}

function clientConfig(
  { url, username, password, token, database }: MilvusOptions,
  ca: Buffer | undefined,
): ClientConfig {
  const { protocol, hostname } = new URL(url);
  const isSecure = protocol === "https:";
  return {
    address: `${hostname}:${portOf(url)}`,
    isGlobal: false,
    ssl: isSecure,
    maxRetries: 0,
    telemetry: { enabled: false },
    // A failure to connect would be a rejection that nobody handles.
    __SKIP_CONNECT__: true,
    logLevel: "error",
    pool: { min: 0, max: CALLS_MAX },
    // A server that is back is found at once: by default the wait doubles up to two minutes.
    channelOptions: {
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 1000,
      // Milvus Lite hangs up on who asks every ten seconds; every call has a deadline anyway.
      "grpc.keepalive_time_ms": 300_000,
      "grpc.keepalive_permit_without_calls": 0,
    },
    ...(username !== undefined && { username, password: password ?? "" }),
    ...(token !== undefined && { token }),
    ...(database !== undefined && { database }),
    ...(ca && { tls: { rootCert: ca } }),
  };
}

/** @throws RaglineError `config_invalid` */
function authorityOf({ url, caFile }: MilvusOptions): Buffer | undefined {
  if (caFile === undefined) return undefined;
  if (new URL(url).protocol !== "https:") {
    throw new RaglineError("config_invalid", "search.caFile: only an https: URL is spoken to over TLS");
  }
  try {
    return readFileSync(caFile);
  } catch (cause) {
    throw new RaglineError("config_invalid", `search.caFile: ${caFile} cannot be read`, { cause });
  }
}
