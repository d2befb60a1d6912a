import type { ErrorBody, Step } from "./types.ts";

/** The one error table: HTTP status, whether trying again can help, and what the code means. */
export const ERRORS = {
  request_invalid: {
    status: 400,
    retryable: false,
    meaning: "The request breaks a rule; the message names the field and the limit.",
  },
  unauthorized: { status: 401, retryable: false, meaning: "No valid credentials." },
  forbidden: { status: 403, retryable: false, meaning: "Valid credentials without the right to do this." },
  not_found: { status: 404, retryable: false, meaning: "No such route, document or session." },
  conflict: {
    status: 409,
    retryable: true,
    meaning: "The thing was changed meanwhile, or cannot be combined with what is stored.",
  },
  prompt_too_large: { status: 413, retryable: false, meaning: "The question alone does not fit the model's context." },
  rate_limited: { status: 429, retryable: true, meaning: "Too many requests." },
  cancelled: { status: 499, retryable: true, meaning: "The caller left, or the server is stopping." },
  internal: {
    status: 500,
    retryable: false,
    meaning: "A fault in Ragline; the log has the cause under the request id.",
  },
  dependency_failed: { status: 502, retryable: true, meaning: "A stage (model, search, session store) failed." },
  overloaded: { status: 503, retryable: true, meaning: "No capacity, or not ready yet." },
  dependency_timeout: { status: 504, retryable: true, meaning: "A stage did not answer within its deadline." },
  deadline_short: {
    status: 504,
    retryable: true,
    meaning: "Less of the request's time was left than a stage usually takes; it was not begun. Give the request more.",
  },
  config_invalid: { status: 500, retryable: false, meaning: "Start-up only: the configuration breaks a rule." },
} as const;

export type ErrorCode = keyof typeof ERRORS;

export interface RaglineErrorOptions {
  readonly step?: Step;
  /** For the log only. */
  readonly cause?: unknown;
  /** Overrides the table, e.g. for an upstream's 400, which no retry mends. */
  readonly retryable?: boolean;
  /** How long the upstream asked to be left alone. */
  readonly retryAfterMs?: number | undefined;
  /** Of saving a turn: it is stored, only not as durably as was asked for. */
  readonly stored?: boolean;
}

/** When to come back to what is busy just now, and to a caller's turn. */
export const RETRY_AFTER_MS = 1_000;

/** The only error that crosses a module's border. `message` is written for clients; `cause` stays in the log. */
export class RaglineError extends Error {
  override readonly name = "RaglineError";
  readonly code: ErrorCode;
  readonly step: Step | undefined;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly stored: boolean;
  readonly status: number;

  constructor(code: ErrorCode, message: string, options: RaglineErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.step = options.step;
    this.retryable = options.retryable ?? ERRORS[code].retryable;
    this.retryAfterMs = options.retryAfterMs;
    this.stored = options.stored ?? false;
    this.status = ERRORS[code].status;
  }

  /** What a client may see. */
  body(requestId?: string): ErrorBody {
    return {
      code: this.code,
      message: this.message,
      ...(this.step && { step: this.step }),
      retryable: this.retryable,
      ...(this.retryAfterMs !== undefined && { retryAfterMs: Math.ceil(this.retryAfterMs) }),
      ...(requestId && { requestId }),
    };
  }
}

/** What a client was told, as an error again. */
export function errorOf({ code, message, step, retryable, retryAfterMs }: ErrorBody): RaglineError {
  return new RaglineError(code as ErrorCode, message, { ...(step && { step }), retryable, retryAfterMs });
}

/** Why the signal was aborted; most callers just leave. */
export function leftBy({ reason }: AbortSignal): RaglineError {
  return reason instanceof RaglineError ? reason : new RaglineError("cancelled", "The caller left.", { cause: reason });
}

/** Why something broke: what breaks because the caller has left is no failure of Ragline's. */
export function unlessLeft(thrown: unknown, signal: AbortSignal): unknown {
  return signal.aborted && !(thrown instanceof RaglineError) ? leftBy(signal) : thrown;
}

/** Any thrown value as a RaglineError, with the step in which it happened. */
export function toRaglineError(thrown: unknown, step?: Step): RaglineError {
  if (thrown instanceof RaglineError) {
    if (thrown.step || !step) return thrown;
    const { cause, retryable, retryAfterMs, stored } = thrown;
    return new RaglineError(thrown.code, thrown.message, { step, cause, retryable, retryAfterMs, stored });
  }
  return new RaglineError("internal", "Something went wrong inside Ragline.", { ...(step && { step }), cause: thrown });
}
