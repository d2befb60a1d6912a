import { ERRORS, type ErrorCode, RaglineError } from "../errors.ts";
import { STEPS, type Step } from "../types.ts";
import { Metadata, status } from "./library.ts";

/** The trailers of a call. */
export const TRAILERS = {
  code: "ragline-code",
  step: "ragline-step",
  retryable: "ragline-retryable",
  retryAfterMs: "ragline-retry-after-ms",
  /** Before the work began. */
  queueMs: "ragline-queue-ms",
  /** From then on. */
  serviceMs: "ragline-service-ms",
  /** JSON: `[inputTokens, outputTokens, ms]` of every call of a model. */
  modelCalls: "ragline-model-calls",
} as const;

/** In a request: milliseconds until the first delta of an answer must be there. */
export const FIRST_TOKEN_MS = "ragline-first-token-ms";

/** A message travels in a header, in which a Hangul syllable takes nine bytes. */
const MESSAGE_CHARACTERS_MAX = 2000;

const CODES: Readonly<Record<ErrorCode, status>> = {
  request_invalid: status.INVALID_ARGUMENT,
  unauthorized: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  not_found: status.NOT_FOUND,
  conflict: status.FAILED_PRECONDITION,
  prompt_too_large: status.OUT_OF_RANGE,
  rate_limited: status.RESOURCE_EXHAUSTED,
  cancelled: status.CANCELLED,
  internal: status.INTERNAL,
  dependency_failed: status.UNAVAILABLE,
  overloaded: status.RESOURCE_EXHAUSTED,
  dependency_timeout: status.DEADLINE_EXCEEDED,
  deadline_short: status.DEADLINE_EXCEEDED,
  config_invalid: status.FAILED_PRECONDITION,
};

export interface WireStatus {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** An error as a status; what it is besides goes into `trailers`. */
export function toStatus(error: RaglineError, trailers = new Metadata()): WireStatus {
  trailers.set(TRAILERS.code, error.code);
  trailers.set(TRAILERS.retryable, String(error.retryable));
  if (error.step) trailers.set(TRAILERS.step, error.step);
  if (error.retryAfterMs !== undefined) trailers.set(TRAILERS.retryAfterMs, String(error.retryAfterMs));
  const details = error.message.slice(0, MESSAGE_CHARACTERS_MAX).toWellFormed();
  return { code: CODES[error.code], details, metadata: trailers };
}

/** What a stage has with whoever is behind it; for its asker it is a dependency that fails. */
const ITS_OWN: readonly string[] = ["unauthorized", "forbidden", "config_invalid", "cancelled"];
const RETRY_AFTER_MAX_MS = 3_600_000;

/** The stage's own error; where the call failed on the way, `dependency_failed` or `dependency_timeout`. `path`: of the method, as `/package.Service/Method`. */
export function fromStatus({ code, details, metadata }: WireStatus, address: string, path: string): RaglineError {
  const known = trailer(metadata, TRAILERS.code);
  const cause = new Error(`${address}: ${status[code]}: ${plain(details)}`);
  if (known === undefined || !Object.hasOwn(ERRORS, known) || ITS_OWN.includes(known))
    return onTheWay(code, path, cause);
  const step = trailer(metadata, TRAILERS.step);
  const retryAfterMs = Number(trailer(metadata, TRAILERS.retryAfterMs));
  return new RaglineError(known as ErrorCode, details, {
    cause,
    retryable: trailer(metadata, TRAILERS.retryable) === "true",
    ...(isStep(step) && { step }),
    ...(retryAfterMs > 0 && { retryAfterMs: Math.min(retryAfterMs, RETRY_AFTER_MAX_MS) }),
  });
}

/** As gRPC's library words a connection that failed, without what says nothing. */
function plain(details: string): string {
  return details
    .replace(/^No connection established\. Last error: /, "")
    .replace(/^Error: /, "")
    .replace(/\.? Resolution note: $/, "");
}

const LASTING = [
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.PERMISSION_DENIED,
  status.UNAUTHENTICATED,
  status.UNIMPLEMENTED,
  status.RESOURCE_EXHAUSTED,
];

function onTheWay(code: status, path: string, cause: Error): RaglineError {
  if (code === status.DEADLINE_EXCEEDED) {
    return new RaglineError("dependency_timeout", "The stage did not answer in time.", { cause });
  }
  return new RaglineError("dependency_failed", failureOf(code, path, cause), {
    cause,
    retryable: !LASTING.includes(code),
  });
}

function failureOf(code: status, path: string, { message }: Error): string {
  if (code === status.RESOURCE_EXHAUSTED && /message larger than max|size larger than/.test(message)) {
    return `A message to or from the stage is larger than messageBytesMax allows (${sizes(message)}).`;
  }
  if (code === status.UNIMPLEMENTED) {
    const method = path.slice(path.lastIndexOf(".") + 1);
    return `The stage does not know ${method}: it is of an older Ragline, or of another kind. Upgrade stages before whoever asks them.`;
  }
  return code === status.UNAVAILABLE ? "The stage could not be reached." : "The call of the stage failed.";
}

function sizes(message: string): string {
  return message.match(/\d+ vs\.? \d+|\d+ vs max \d+/)?.[0] ?? message.match(/\d{4,}/g)?.join(" vs. ") ?? "";
}

export function trailer(metadata: Metadata, name: string): string | undefined {
  return metadata.get(name)[0]?.toString();
}

function isStep(word: string | undefined): word is Step {
  return STEPS.includes(word as Step);
}
