import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { createParser } from "eventsource-parser";
import { RaglineError } from "../errors.ts";
import type { Calls, Degradation, StepSpan, Timings } from "../types.ts";

/** How an answer ended, as its reader saw it. Times by `performance.now()`. */
export interface Reply {
  readonly sentAt: number;
  readonly firstTextAt: number | null;
  readonly endedAt: number;
  /** Null: whole. Else an error's code: the server's own; `cut`, `connection_failed`, `client_timeout` or `http_…` otherwise. */
  readonly failure: string | null;
  readonly sessionId: string | null;
  readonly end: AnswerEnd | null;
  readonly textEvents: number;
}

/** Of `answer-end`, as the server says. */
export interface AnswerEnd {
  readonly timings: Timings;
  readonly spans: readonly StepSpan[];
  readonly calls: Calls;
  readonly firstTextMs: number | null;
  readonly totalMs: number;
  readonly degraded: readonly Degradation[];
  readonly cached: boolean;
  readonly usage: { readonly completionTokens: number };
}

export interface ClientOptions {
  readonly url: string;
  /** Sent with every request, e.g. for authorization. */
  readonly headers: Readonly<Record<string, string>>;
  /** After it a request is given up, milliseconds. */
  readonly timeoutMs: number;
}

export interface AskBody {
  readonly question: string;
  readonly sessionId?: string;
  readonly collection?: string;
  readonly cache?: false;
}

export interface LoadClient {
  /** Never rejects. */
  ask(body: AskBody, signal: AbortSignal): Promise<Reply>;
  /** One JSON document. @throws Error where there is none. */
  get(path: string): Promise<unknown>;
  close(): void;
}

/** Of a server with callers: what to name. */
export function keyNeeded(url: string, rights: string): RaglineError {
  return new RaglineError(
    "unauthorized",
    `${url} wants a key that may ${rights}: --header "authorization: Bearer <key>"`,
  );
}

/** So much of an error's body is read. */
const ERROR_LENGTH_MAX = 10_000;

/** A reader's side of `/v1/ask`: kept-alive connections, as many at once as there are requests. */
export function createClient(options: ClientOptions): LoadClient {
  const base = options.url.replace(/\/+$/, "");
  const isTls = base.startsWith("https:");
  const agent = isTls ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  const send = isTls ? httpsRequest : httpRequest;
  return {
    ask(body, signal) {
      const text = JSON.stringify(body);
      const headers = {
        ...options.headers,
        "content-type": "application/json",
        accept: "text/event-stream",
        "content-length": Buffer.byteLength(text),
      };
      const open = () => send(`${base}/v1/ask`, { method: "POST", agent, headers });
      return readAnswer(open, text, signal, options.timeoutMs);
    },
    async get(path) {
      const headers = { ...options.headers };
      const response = await fetch(`${base}${path}`, { headers, signal: AbortSignal.timeout(options.timeoutMs) });
      if (response.status === 401 || response.status === 403) throw keyNeeded(options.url, "ask and observe");
      if (response.ok) return response.json();
      const said = errorOf(await response.text())?.message;
      // A header is missing that goes with the key, say.
      if (response.status === 400 && said) throw new RaglineError("request_invalid", `${options.url}: ${said}`);
      throw new Error(`${path}: status ${response.status}`);
    },
    close: () => agent.destroy(),
  };
}

function readAnswer(open: () => ClientRequest, body: string, signal: AbortSignal, timeoutMs: number): Promise<Reply> {
  return new Promise((resolve) => {
    const answer = new AnswerReader();
    if (signal.aborted) return resolve(answer.reply("unfinished"));
    let outgoing = open();
    const finish = (failure: string | null) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
      resolve(answer.reply(failure));
    };
    const end = (failure: string) => {
      finish(failure);
      outgoing.destroy();
    };
    const giveUp = () => end("unfinished");
    const timer = setTimeout(() => end("client_timeout"), timeoutMs);
    signal.addEventListener("abort", giveUp, { once: true });
    const start = () => {
      outgoing.on("response", (incoming) => readResponse(incoming, answer, finish));
      outgoing.on("error", (error: NodeJS.ErrnoException) => {
        // The server closed a kept-alive connection at the moment it was used again.
        if (outgoing.reusedSocket && error.code === "ECONNRESET" && !answer.hasBegun) {
          outgoing = open();
          start();
        } else finish("connection_failed");
      });
      outgoing.end(body);
    };
    start();
  });
}

function readResponse(incoming: IncomingMessage, answer: AnswerReader, finish: (failure: string | null) => void): void {
  incoming.setEncoding("utf8");
  if (incoming.statusCode !== 200) {
    let text = "";
    incoming.on("data", (piece: string) => {
      text += piece.slice(0, ERROR_LENGTH_MAX - text.length);
    });
    incoming.on("close", () => finish(codeOf(text) ?? `http_${incoming.statusCode}`));
    return;
  }
  incoming.on("data", (piece: string) => answer.take(piece));
  incoming.on("error", () => undefined);
  incoming.on("close", () => finish(answer.failure));
}

class AnswerReader {
  hasBegun = false;
  readonly #sentAt = performance.now();
  #sessionId: string | null = null;
  #firstTextAt: number | null = null;
  #endedAt: number | null = null;
  #textEvents = 0;
  #end: AnswerEnd | null = null;
  #error: string | null = null;
  readonly #parser = createParser({ onEvent: ({ event, data }) => this.#onEvent(event, data) });

  take(piece: string): void {
    this.hasBegun = true;
    this.#parser.feed(piece);
  }

  get failure(): string | null {
    return this.#error ?? (this.#end ? null : "cut");
  }

  reply(failure: string | null): Reply {
    return {
      sentAt: this.#sentAt,
      firstTextAt: this.#firstTextAt,
      endedAt: this.#endedAt ?? performance.now(),
      failure,
      sessionId: this.#sessionId,
      end: this.#end,
      textEvents: this.#textEvents,
    };
  }

  #onEvent(event: string | undefined, data: string): void {
    if (event === "text-delta") {
      this.#textEvents++;
      this.#firstTextAt ??= performance.now();
    } else if (event === "answer-start") {
      this.#sessionId = parsed<{ readonly sessionId?: string }>(data)?.sessionId ?? null;
    } else if (event === "answer-end") {
      this.#endedAt = performance.now();
      this.#end = parsed<AnswerEnd>(data);
    } else if (event === "answer-error") {
      this.#endedAt = performance.now();
      this.#error = codeOf(data) ?? "internal";
    }
  }
}

/** Null: no JSON, e.g. of a proxy that breaks lines. */
function parsed<T>(text: string): T | null {
  try {
    return JSON.parse(text) as T | null;
  } catch {
    return null;
  }
}

/** Of an error's body, or of `answer-error`. */
function errorOf(text: string): { readonly code?: unknown; readonly message?: string } | null {
  return parsed<{ readonly error?: { readonly code?: unknown; readonly message?: string } }>(text)?.error ?? null;
}

function codeOf(text: string): string | null {
  const code = errorOf(text)?.code;
  return typeof code === "string" ? code : null;
}
