import { readFileSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Pool } from "undici";
import { Deadlines } from "../../deadlines.ts";
import { RaglineError } from "../../errors.ts";
import { addTraceHeaders } from "../../telemetry/headers.ts";
import type { CallOptions } from "../../types.ts";
import { connectionsTo } from "../http/connections.ts";
import { type Answer, Exchange } from "../http/exchange.ts";
import type { HttpCall } from "../http/post.ts";

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
  readonly lines?: string | Buffer;
}

/** What OpenSearch said when it refused; the cause of a `RaglineError`, for the log alone. Holds nothing of what was sent. */
class OpenSearchRefusal extends Error {
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
  readonly connections: Pool;
  /** What its URL has behind the origin, before every path. */
  readonly base: string;
  /** By `performance.now()`: until then others are asked first. */
  downUntil: number;
}

const LATE = "OpenSearch did not answer in time.";
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
  readonly #deadlines = new Deadlines(LATE);
  #next = 0;

  /** @throws RaglineError `config_invalid`: the file of the authority cannot be read, or is given for a node without TLS */
  constructor({ url, username, password = "", caFile }: OpenSearchOptions) {
    if (caFile !== undefined && !url.split(",").every((one) => one.trim().startsWith("https:"))) {
      throw new RaglineError("config_invalid", "search.caFile: only https: URLs are spoken to over TLS");
    }
    const credentials = Buffer.from(`${username}:${password}`, "utf8").toString("base64");
    this.#headers = username === undefined ? {} : { authorization: `Basic ${credentials}` };
    const connect = { timeoutMs: CONNECT_TIMEOUT_MS, ca: caFile && readCertificate(caFile) };
    this.#nodes = url.split(",").map((one) => {
      const { origin, pathname, search } = new URL(one.trim());
      return {
        connections: connectionsTo(origin, connect),
        base: (pathname + search).replace(/\/+$/, ""),
        downUntil: 0,
      };
    });
  }

  /**
   * The response's JSON.
   * @throws RaglineError `dependency_failed`, whose cause is an `OpenSearchRefusal` where there is an answer, or `dependency_timeout`
   */
  async request({ method, path, body, lines }: OpenSearchRequest, call: CallOptions): Promise<unknown> {
    const { signal, deadline = Number.POSITIVE_INFINITY } = call;
    const until = Math.min(deadline, performance.now() + LIMIT_MS);
    const type = lines === undefined ? "application/json" : "application/x-ndjson";
    const text = lines ?? (body === undefined ? null : JSON.stringify(body));
    const headers: Record<string, string> = { ...this.#headers, ...(text !== null && { "content-type": type }) };
    addTraceHeaders(headers);
    const ask = ({ connections, base }: Node) => {
      this.#deadlines.check(signal, until);
      const exchange = new Exchange();
      connections.dispatch({ path: base + path, method, headers, body: text }, exchange);
      return this.#deadlines.before(exchange.answer, signal, until, (error) => exchange.leave(error));
    };
    try {
      return read(await this.#toANode(ask, signal));
    } catch (thrown) {
      if (signal.aborted) throw reasonOf(signal);
      throw thrown;
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map(({ connections }) => connections.destroy()));
  }

  async #toANode(ask: (node: Node) => Promise<Answer>, signal: AbortSignal): Promise<Answer> {
    const turns = this.#inOrder();
    let failure: unknown;
    let isRepeated = false;
    for (const node of turns) {
      try {
        const answer = await ask(node);
        node.downUntil = 0;
        return answer;
      } catch (thrown) {
        const code = codeOf(thrown);
        const isLost = LOST.has(code);
        failure = failed("could not be reached", thrown);
        if (signal.aborted || !(NEVER_CONNECTED.has(code) || (isLost && !isRepeated))) throw failure;
        node.downUntil = performance.now() + DOWN_MS;
        // The only node there is gets another turn, on a new connection.
        if (isLost && turns.length === 1) turns.push(node);
        isRepeated ||= isLost;
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

/** @throws RaglineError `dependency_failed`: what it says is no JSON, or that it was refused */
function read({ status, text }: Answer): unknown {
  if (status >= 300) throw refused(status, text);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw failed("sent an answer that could not be read", cause);
  }
}

function failed(what: string, cause: unknown): RaglineError {
  return cause instanceof RaglineError
    ? cause
    : new RaglineError("dependency_failed", `OpenSearch ${what}.`, { cause });
}

/** The refusal behind a failure; null where it is another kind of failure. */
export function refusalBehind(thrown: unknown): OpenSearchRefusal | null {
  return thrown instanceof RaglineError && thrown.cause instanceof OpenSearchRefusal ? thrown.cause : null;
}

/** Of an index or of the whole cluster: lifted by whoever set it, or once there is room on the disk. */
const BLOCKED = "cluster_block_exception";

/** An index, or an alias. */
export const MISSING = "index_not_found_exception";

/** `body`: as OpenSearch sent it, or its `error`. */
export function refused(status: number, body: unknown): RaglineError {
  const text = typeof body === "string" ? body : (JSON.stringify(body) ?? "");
  const type = /"type":"(\w+)"/.exec(text)?.[1] ?? "unknown";
  const reason = /"reason":"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? "";
  // A field's value may be quoted in it.
  const told = reason.replace(/Preview of field.*$/, "").slice(0, REASON_CHARACTERS_MAX);
  const cause = new OpenSearchRefusal(status, type, told);
  const retryable = type === BLOCKED || status >= 500 || status === 429 || status === 408;
  return new RaglineError("dependency_failed", messageOf(status, type), { cause, retryable });
}

function messageOf(status: number, type: string): string {
  if (type === BLOCKED)
    return `OpenSearch blocks the call (${status}): an index is read-only, as when its disk is nearly full, or the cluster is not up.`;
  if (status === 401 || status === 403)
    return `OpenSearch refused the credentials (${status}): see search.username and search.password.`;
  if (type === MISSING)
    return "An index of Ragline's, or its alias, is gone from OpenSearch: restore it, or run `ragline index` again.";
  return `OpenSearch refused the call with ${status} (${type}).`;
}

/** Of a failure of the connection; empty: another failure. */
function codeOf(thrown: unknown): string {
  return typeof thrown === "object" && thrown !== null && "code" in thrown ? String(thrown.code) : "";
}

function reasonOf(signal: AbortSignal): RaglineError {
  const { reason } = signal;
  return reason instanceof RaglineError ? reason : new RaglineError("cancelled", "The caller left.", { cause: reason });
}

export function tooLate(): RaglineError {
  return new RaglineError("dependency_timeout", LATE);
}

function readCertificate(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new RaglineError("config_invalid", `search.caFile: ${file} cannot be read`, { cause });
  }
}
