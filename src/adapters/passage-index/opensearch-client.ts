import { readFileSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { RaglineError } from "../../errors.ts";
import type { CallOptions } from "../../types.ts";
import { below, Endpoint, type HttpCall, ownConnections, readJson, refusalOf, send } from "../http/post.ts";

export interface OpenSearchOptions {
  /** `http[s]://host[:port]`; several, comma-separated, for the nodes of one cluster. */
  readonly url: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** PEM file of the authority behind an `https:` node's certificate, where the system does not know it. */
  readonly caFile?: string | undefined;
}

export interface OpenSearchRequest {
  readonly method: HttpCall["method"];
  readonly path: string;
  readonly body?: object;
  /** Instead of `body`: lines of JSON, each ended. */
  readonly lines?: string;
}

/** What OpenSearch said when it refused; the cause of a `RaglineError`, for the log alone. Holds nothing of what was sent. */
export class OpenSearchRefusal extends Error {
  override readonly name = "OpenSearchRefusal";
  readonly status: number;
  /** E.g. `index_not_found_exception`. */
  readonly type: string;

  constructor(status: number, type: string, reason = "") {
    super(`${status} ${type}${reason && `: ${reason}`}`);
    this.status = status;
    this.type = type;
  }
}

interface Node {
  readonly endpoint: Endpoint;
  /** By `performance.now()`: until then others are asked first. */
  downUntil: number;
}

const CONNECT_TIMEOUT_MS = 1000;
/** How long a node that could not be reached is asked last. */
const DOWN_MS = 3000;
/** Where the caller sets no limit: a write may wait for a segment to be merged. */
const LIMIT_MS = 60_000;
const REASON_CHARACTERS_MAX = 300;
const NEVER_CONNECTED = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "UND_ERR_CONNECT_TIMEOUT",
]);

const LOST = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);

/**
 * The nodes of a cluster, over plain HTTP. A request that reached no node is sent to the next; one whose connection breaks before
 * an answer comes, as an idle one does that was dropped, is sent once more: every request here means the same when it is repeated.
 */
export class OpenSearchClient {
  readonly #nodes: readonly Node[];
  readonly #headers: Readonly<Record<string, string>>;
  readonly #connections: ReturnType<typeof ownConnections>;
  #next = 0;

  /** @throws RaglineError `config_invalid`: the file of the authority cannot be read, or is given for a node without TLS */
  constructor({ url, username, password = "", caFile }: OpenSearchOptions) {
    if (caFile !== undefined && !url.split(",").every((one) => one.trim().startsWith("https:"))) {
      throw new RaglineError("config_invalid", "search.caFile: only https: URLs are spoken to over TLS");
    }
    const credentials = Buffer.from(`${username}:${password}`, "utf8").toString("base64");
    this.#headers = username === undefined ? {} : { authorization: `Basic ${credentials}` };
    const dispatcher = ownConnections({ timeoutMs: CONNECT_TIMEOUT_MS, ca: caFile && readCertificate(caFile) });
    this.#connections = dispatcher;
    this.#nodes = url.split(",").map((one) => ({
      endpoint: new Endpoint(one.trim().replace(/\/+$/, ""), { dispatcher }),
      downUntil: 0,
    }));
  }

  /**
   * The response's JSON.
   * @throws RaglineError `dependency_failed`, whose cause is an `OpenSearchRefusal` where there is an answer, or `dependency_timeout`
   */
  async request(request: OpenSearchRequest, call: CallOptions): Promise<unknown> {
    const leftMs = Math.min(LIMIT_MS, (call.deadline ?? Number.POSITIVE_INFINITY) - performance.now());
    if (leftMs <= 0) throw tooLate();
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(tooLate()), leftMs);
    const onAbort = () => limit.abort(call.signal.reason);
    call.signal.addEventListener("abort", onAbort, { once: true });
    if (call.signal.aborted) onAbort();
    try {
      return await this.#toANode(request, limit.signal);
    } catch (thrown) {
      throw limit.signal.aborted ? reasonOf(limit.signal) : thrown;
    } finally {
      clearTimeout(timer);
      call.signal.removeEventListener("abort", onAbort);
    }
  }

  async close(): Promise<void> {
    await this.#connections.destroy();
  }

  async #toANode({ method, path, body, lines }: OpenSearchRequest, signal: AbortSignal): Promise<unknown> {
    const text = lines ?? (body === undefined ? null : JSON.stringify(body));
    const type = lines === undefined ? "application/json" : "application/x-ndjson";
    const headers = { ...this.#headers, ...(text !== null && { "content-type": type }) };
    const turns = this.#inOrder();
    let failure: unknown;
    let isRepeated = false;
    for (const node of turns) {
      try {
        const response = await send(below(node.endpoint, path), { method, headers, body: text }, signal);
        node.downUntil = 0;
        return await readJson(response, signal);
      } catch (thrown) {
        const refusal = refusalOf(thrown);
        if (refusal) throw refused(refusal.status, refusal.reason);
        const code = codeOf(thrown);
        if (signal.aborted || !(NEVER_CONNECTED.has(code) || (LOST.has(code) && !isRepeated))) throw thrown;
        failure = thrown;
        node.downUntil = performance.now() + DOWN_MS;
        // The only node there is gets another turn, on a new connection.
        if (LOST.has(code) && turns.length === 1) turns.push(node);
        isRepeated ||= LOST.has(code);
        // Others that were dropped with it are found out first.
        await nextTurn();
      }
    }
    throw failure;
  }

  /** In turn, those last that could not be reached a moment ago. */
  #inOrder(): Node[] {
    if (this.#nodes.length === 1) return [...this.#nodes];
    const first = this.#next++ % this.#nodes.length;
    const turned = [...this.#nodes.slice(first), ...this.#nodes.slice(0, first)];
    const now = performance.now();
    return turned.sort((a, b) => Number(a.downUntil > now) - Number(b.downUntil > now));
  }
}

/** The refusal behind a failure; null where it is another kind of failure. */
export function refusalBehind(thrown: unknown): OpenSearchRefusal | null {
  return thrown instanceof RaglineError && thrown.cause instanceof OpenSearchRefusal ? thrown.cause : null;
}

/** `body`: as OpenSearch sent it, or its `error`. */
export function refused(status: number, body: unknown): RaglineError {
  const text = typeof body === "string" ? body : (JSON.stringify(body) ?? "");
  const type = /"type":"(\w+)"/.exec(text)?.[1] ?? "unknown";
  const reason = /"reason":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? "";
  // A field's value may be quoted in it.
  const told = reason.replace(/Preview of field.*$/, "").slice(0, REASON_CHARACTERS_MAX);
  const cause = new OpenSearchRefusal(status, type, told);
  const isCredentials = status === 401 || status === 403;
  const message = isCredentials
    ? `OpenSearch refused the credentials (${status}): see search.username and search.password.`
    : `OpenSearch refused the call with ${status} (${type}).`;
  const retryable = status >= 500 || status === 429 || status === 408;
  return new RaglineError("dependency_failed", message, { cause, retryable });
}

/** Of a failure of the connection; empty: another failure. */
function codeOf(thrown: unknown): string {
  const cause = thrown instanceof RaglineError ? thrown.cause : thrown;
  return typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : "";
}

function reasonOf(signal: AbortSignal): RaglineError {
  const { reason } = signal;
  return reason instanceof RaglineError ? reason : new RaglineError("cancelled", "The caller left.", { cause: reason });
}

export function tooLate(): RaglineError {
  return new RaglineError("dependency_timeout", "OpenSearch did not answer in time.");
}

function readCertificate(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new RaglineError("config_invalid", `search.caFile: ${file} cannot be read`, { cause });
  }
}
