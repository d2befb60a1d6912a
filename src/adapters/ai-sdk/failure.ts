import { RaglineError } from "../../errors.ts";
import type { Headers } from "../http/response-body.ts";
import { retryAfterMs } from "../http/retry-after.ts";

/**
 * A provider's failure as ours. `APICallError` says itself whether another try may help; what is thrown for other reasons (a
 * missing key, an answer that cannot be read) is worth none.
 */
export function aiSdkFailure(cause: unknown, signal: AbortSignal): RaglineError {
  if (cause instanceof RaglineError) return cause;
  if (signal.aborted && signal.reason instanceof RaglineError) return signal.reason;
  const { isRetryable, statusCode, responseHeaders } = (cause ?? {}) as {
    readonly isRetryable?: unknown;
    readonly statusCode?: unknown;
    readonly responseHeaders?: Headers;
  };
  const retryable = isRetryable === true;
  const what = typeof statusCode === "number" ? `refused the call with status ${statusCode}` : "failed";
  return new RaglineError("dependency_failed", `The upstream ${what}.`, {
    retryable,
    retryAfterMs: retryable && responseHeaders ? retryAfterMs(responseHeaders) : undefined,
    cause,
  });
}
