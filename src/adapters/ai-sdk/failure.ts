import { RaglineError } from "../../errors.ts";
import { REASON_CHARACTERS_MAX, Refusal } from "../http/post.ts";
import type { Headers } from "../http/response-body.ts";
import { retryAfterMs } from "../http/retry-after.ts";

/** Of an `APICallError`, whatever version of the AI SDK threw it. */
interface CallFailure {
  readonly url?: unknown;
  readonly statusCode?: unknown;
  readonly responseBody?: unknown;
  readonly responseHeaders?: Headers;
  readonly isRetryable?: unknown;
}

/**
 * A provider's failure as ours. An `APICallError` says itself whether another try may help; what is thrown for other reasons (a
 * missing key, an answer that cannot be read) is worth none. Of the request, which holds readers' words, nothing is kept.
 */
export function aiSdkFailure(thrown: unknown, signal: AbortSignal): RaglineError {
  if (thrown instanceof RaglineError) return thrown;
  if (signal.aborted && signal.reason instanceof RaglineError) return signal.reason;
  const { url, statusCode, responseBody, responseHeaders, isRetryable } = (thrown ?? {}) as CallFailure;
  const retryable = isRetryable === true;
  if (typeof statusCode !== "number") {
    return new RaglineError("dependency_failed", "The upstream failed.", {
      retryable,
      cause: new Error(String(thrown)),
    });
  }
  return new RaglineError("dependency_failed", `The upstream refused the call with status ${statusCode}.`, {
    retryable,
    retryAfterMs: retryable && responseHeaders ? retryAfterMs(responseHeaders) : undefined,
    cause: new Refusal(String(url), statusCode, String(responseBody).slice(0, REASON_CHARACTERS_MAX)),
  });
}
