import { getGlobalDispatcher } from "undici";
import { RaglineError } from "../../errors.ts";
import { ResponseBody } from "./response-body.ts";

export interface Endpoint {
  readonly url: string;
  readonly apiKey?: string | undefined;
}

/** Of an upstream's error text, what goes into the log. */
const REASON_CHARACTERS_MAX = 2000;
const RESPONSE_CHARACTERS_MAX = 64 * 1024 * 1024;

/**
 * Posts JSON and gives the response's body once its status is known to be good.
 * @throws RaglineError `dependency_failed`; `retryable` unless the upstream refused the request itself (4xx but 408, 425, 429).
 */
export async function post(endpoint: Endpoint, body: unknown, signal: AbortSignal): Promise<ResponseBody> {
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (endpoint.apiKey) headers.authorization = `Bearer ${endpoint.apiKey}`;
  const response = new ResponseBody(signal);
  let status: number;
  try {
    const { origin, pathname, search } = new URL(endpoint.url);
    // Deadlines are the caller's, through `signal`.
    const timeouts = { headersTimeout: 0, bodyTimeout: 0 };
    const call = { origin, path: pathname + search, method: "POST" as const, headers, body: JSON.stringify(body) };
    getGlobalDispatcher().dispatch({ ...call, ...timeouts }, response);
    status = await response.status;
  } catch (cause) {
    throw failed("could not be reached", cause, signal);
  }
  if (status < 300) return response;
  const reason = await readText(response, REASON_CHARACTERS_MAX).catch(() => "");
  const retryable = status >= 500 || [408, 425, 429].includes(status);
  throw new RaglineError("dependency_failed", `The upstream refused the call with status ${status}.`, {
    retryable,
    cause: new Error(`${endpoint.url}: ${status} ${reason}`),
  });
}

/** Posts JSON and reads JSON of up to 64 MiB. @throws RaglineError `dependency_failed` */
export async function postJson(endpoint: Endpoint, body: unknown, signal: AbortSignal): Promise<unknown> {
  const response = await post(endpoint, body, signal);
  try {
    const text = await readText(response, RESPONSE_CHARACTERS_MAX + 1);
    if (text.length > RESPONSE_CHARACTERS_MAX) throw new Error(`more than ${RESPONSE_CHARACTERS_MAX} characters`);
    return JSON.parse(text);
  } catch (cause) {
    throw failed("sent an answer that could not be read", cause, signal);
  }
}

/** As much of a body as is wanted; the rest is not waited for. */
async function readText(body: AsyncIterable<unknown>, charactersMax: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of body) {
    text += decoder.decode(bytes as Uint8Array, { stream: true });
    if (text.length >= charactersMax) break;
  }
  return text.slice(0, charactersMax);
}

export function failed(what: string, cause: unknown, signal?: AbortSignal): RaglineError {
  if (cause instanceof RaglineError) return cause;
  if (signal?.aborted && signal.reason instanceof RaglineError) return signal.reason;
  return new RaglineError("dependency_failed", `The upstream ${what}.`, { cause });
}
