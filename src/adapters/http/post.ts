import { RaglineError } from "../../errors.ts";
import { addTraceHeaders } from "../../telemetry/headers.ts";
import { connections } from "./connections.ts";
import { type Headers, ResponseBody } from "./response-body.ts";
import { retryAfterMs } from "./retry-after.ts";

export interface EndpointOptions {
  /** A bearer token. */
  readonly apiKey?: string | undefined;
  /** Sent with each call, beside those that it needs itself. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** An address as calls need it, read once. */
export class Endpoint {
  readonly url: string;
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(url: string, { apiKey, headers }: EndpointOptions = {}) {
    const { origin, pathname, search } = new URL(url);
    this.url = url;
    this.origin = origin;
    this.path = pathname + search;
    this.headers = { ...headers, ...(apiKey && { authorization: `Bearer ${apiKey}` }) };
  }

  /** `path` begins with a slash; the base URL may end with one. */
  static under(baseUrl: string, path: string, options?: EndpointOptions): Endpoint {
    return new Endpoint(baseUrl.replace(/\/+$/, "") + path, options);
  }
}

/** A call that is no plain post of JSON. */
export interface HttpCall {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | SentBody | null;
}

/** A body that is held until it is sent; of a string the connection keeps the bytes for as long as the response takes. */
class SentBody {
  readonly length: number;
  #bytes: Buffer | undefined;

  constructor(text: string) {
    this.#bytes = Buffer.from(text);
    this.length = this.#bytes.length;
  }

  *[Symbol.iterator](): Iterator<Buffer> {
    const bytes = this.#bytes;
    this.#bytes = undefined;
    if (bytes) yield bytes;
  }
}

/** Of an upstream's error text, what goes into the log. */
export const REASON_CHARACTERS_MAX = 2000;
const JSON_BODY = { "content-type": "application/json" } as const;
const RESPONSE_BYTES_MAX = 64 * 1024 * 1024;
const UTF8 = new TextDecoder();

/** What an upstream said when it refused; the cause of its `RaglineError`, for the log and for adapters alone. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly status: number;
  readonly reason: string;

  constructor(url: string, status: number, reason: string) {
    super(`${url}: ${status} ${reason}`);
    this.status = status;
    this.reason = reason;
  }
}

/** The refusal behind a failure; null where it is another kind of failure. */
export function refusalOf(thrown: unknown): Refusal | null {
  return thrown instanceof RaglineError && thrown.cause instanceof Refusal ? thrown.cause : null;
}

/**
 * Posts JSON and gives the response's body, which may last, once its status is known to be good.
 * @throws RaglineError `dependency_failed`; `retryable` unless the upstream refused the request itself (4xx but 408, 425, 429).
 */
export function post(endpoint: Endpoint, json: unknown, signal: AbortSignal): Promise<ResponseBody> {
  const body = new SentBody(JSON.stringify(json));
  const headers = { ...JSON_BODY, "content-length": String(body.length) };
  return send(endpoint, { method: "POST", headers, body }, signal);
}

/** Posts JSON and reads JSON of up to 64 MiB. @throws RaglineError `dependency_failed` */
export async function postJson(
  endpoint: Endpoint,
  body: unknown,
  signal: AbortSignal,
): Promise<{ readonly value: unknown; readonly headers: Headers }> {
  const response = await send(endpoint, { method: "POST", headers: JSON_BODY, body: JSON.stringify(body) }, signal);
  return { value: await readJson(response, signal), headers: response.headers };
}

/** Reads JSON of up to 64 MiB. @throws RaglineError `dependency_failed` */
export async function getJson(endpoint: Endpoint, signal: AbortSignal): Promise<unknown> {
  return readJson(await send(endpoint, { method: "GET", headers: {}, body: null }, signal), signal);
}

/** As `post`, for any call. @throws RaglineError `dependency_failed` */
export async function send(endpoint: Endpoint, call: HttpCall, signal: AbortSignal): Promise<ResponseBody> {
  const { url, origin, path } = endpoint;
  const { method, body } = call;
  const headers: Record<string, string> = { ...call.headers, ...endpoint.headers };
  addTraceHeaders(headers);
  const response = new ResponseBody(signal);
  let status: number;
  try {
    const request = { origin, path, method, headers, body: body as string | null };
    // Deadlines are the caller's, through `signal`. undici takes any iterable for a body; its types do not say so.
    connections().dispatch({ ...request, headersTimeout: 0, bodyTimeout: 0 }, response);
    status = await response.status;
  } catch (cause) {
    throw failed("could not be reached", cause, signal);
  }
  if (status < 300) return response;
  const reason = await readText(response, REASON_CHARACTERS_MAX).catch(() => "");
  const retryable = status >= 500 || [408, 425, 429].includes(status);
  throw new RaglineError("dependency_failed", `The upstream refused the call with status ${status}.`, {
    retryable,
    retryAfterMs: retryable ? retryAfterMs(response.headers) : undefined,
    cause: new Refusal(url, status, reason),
  });
}

export async function readJson(response: ResponseBody, signal: AbortSignal): Promise<unknown> {
  try {
    return JSON.parse(UTF8.decode(await response.whole(RESPONSE_BYTES_MAX)));
  } catch (cause) {
    throw failed("sent an answer that could not be read", cause, signal);
  }
}

/** As much of a body as is wanted; the rest is not waited for. */
export async function readText(body: AsyncIterable<Uint8Array>, charactersMax: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of body) {
    text += decoder.decode(bytes, { stream: true });
    if (text.length >= charactersMax) break;
  }
  return text.slice(0, charactersMax);
}

/**
 * Open files, which the system refuses to this process whoever is called. Not `EADDRNOTAVAIL`: `localhost` answers so where IPv6 is off,
 * also of a server that is down.
 */
const OWN_LACK: ReadonlySet<unknown> = new Set(["EMFILE", "ENFILE"]);

export function failed(what: string, cause: unknown, signal?: AbortSignal): RaglineError {
  if (cause instanceof RaglineError) return cause;
  if (signal?.aborted && signal.reason instanceof RaglineError) return signal.reason;
  if (cause instanceof Error && "code" in cause && OWN_LACK.has(cause.code)) {
    return new RaglineError("overloaded", "This process can open no more connections.", { cause });
  }
  return new RaglineError("dependency_failed", `The upstream ${what}.`, { cause });
}
