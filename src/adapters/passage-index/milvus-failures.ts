import { RaglineError } from "../../errors.ts";

/** What Milvus said when it refused; the cause of a `RaglineError`, for the log alone. */
class MilvusRefusal extends Error {
  override readonly name = "MilvusRefusal";
  /** Milvus's own, or gRPC's where `isTransport`. */
  readonly code: number;
  readonly isTransport: boolean;

  constructor(call: string, code: number, reason: string, isTransport: boolean) {
    super(`${call}: ${code} ${reason.slice(0, REASON_CHARACTERS_MAX)}`);
    this.code = code;
    this.isTransport = isTransport;
  }
}

interface Status {
  readonly code?: number;
  readonly error_code?: string | number;
  readonly reason?: string;
  readonly retriable?: boolean;
}

const REASON_CHARACTERS_MAX = 300;
/** Codes of gRPC. */
const CANCELLED = 1;
const DEADLINE_EXCEEDED = 4;
const PERMISSION_DENIED = 7;
const UNIMPLEMENTED = 12;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;
/** Codes of Milvus 2.3 and later. */
const COLLECTION_NOT_FOUND = 100;
const COLLECTION_NOT_LOADED = 101;
const COLLECTION_NOT_FULLY_LOADED = 103;
const CHANNEL_NOT_AVAILABLE = 503;
const NOT_LOADED = new Set([COLLECTION_NOT_LOADED, COLLECTION_NOT_FULLY_LOADED, CHANNEL_NOT_AVAILABLE]);

/**
 * The response, if it is a good one. The client turns a call that the server does not know into an empty success: a
 * response without a status is none.
 * @throws RaglineError `dependency_failed`
 */
export function checkedResponse<T extends object>(call: string, response: T): T {
  const status = ("status" in response ? response.status : response) as Status | null | undefined;
  if (status?.error_code === undefined) {
    throw failedWith(new MilvusRefusal(call, UNIMPLEMENTED, "the server does not know this call", true), false);
  }
  const { code = 0, error_code, reason = "", retriable = false } = status;
  if (code === 0 && (error_code === "Success" || error_code === 0)) return response;
  const number = code || Number(error_code) || -1;
  throw failedWith(new MilvusRefusal(call, number, reason, false), retriable || isPassing(number, reason));
}

/** What a call threw: an error of gRPC, a status, or whatever the client fell over. */
export function failureOf(call: string, thrown: unknown): RaglineError {
  if (thrown instanceof RaglineError) return thrown;
  if (typeof thrown === "object" && thrown !== null) {
    if ("error_code" in thrown || "status" in thrown) {
      try {
        checkedResponse(call, thrown);
      } catch (failure) {
        return failure as RaglineError;
      }
    }
    if ("code" in thrown && typeof thrown.code === "number" && "details" in thrown) {
      return transportFailure(call, thrown.code, String(thrown.details));
    }
  }
  const cause = thrown instanceof Error ? thrown : new Error(JSON.stringify(thrown));
  return new RaglineError("dependency_failed", "Milvus's client failed.", { cause });
}

function transportFailure(call: string, code: number, details: string): RaglineError {
  const cause = new MilvusRefusal(call, code, details, true);
  if (code === DEADLINE_EXCEEDED || code === CANCELLED) return tooLate(cause);
  if (code === UNAUTHENTICATED || code === PERMISSION_DENIED) {
    const message = "Milvus refused the credentials: see search.username, search.password and search.token.";
    return new RaglineError("dependency_failed", message, { cause, retryable: false });
  }
  if (code !== UNAVAILABLE) return failedWith(cause, code !== UNIMPLEMENTED);
  return new RaglineError("dependency_failed", "Milvus could not be reached.", { cause });
}

export function tooLate(cause?: unknown): RaglineError {
  return new RaglineError("dependency_timeout", "Milvus did not answer in time.", { cause });
}

function failedWith(cause: MilvusRefusal, retryable: boolean): RaglineError {
  const message = `Milvus refused the call with ${cause.isTransport ? "gRPC status" : "code"} ${cause.code}.`;
  return new RaglineError("dependency_failed", message, { cause, retryable });
}

/** The refusal behind a failure; null where it is another kind of failure. */
function refusalBehind(thrown: unknown): MilvusRefusal | null {
  return thrown instanceof RaglineError && thrown.cause instanceof MilvusRefusal ? thrown.cause : null;
}

export function isMissingCollection(thrown: unknown): boolean {
  const refusal = refusalBehind(thrown);
  return refusal?.isTransport === false && refusal.code === COLLECTION_NOT_FOUND;
}

/** After a restart a real server loads by itself within seconds, its channels last; Milvus Lite waits to be told. */
export function isNotLoaded(thrown: unknown): boolean {
  const refusal = refusalBehind(thrown);
  if (refusal?.isTransport !== false) return false;
  return NOT_LOADED.has(refusal.code);
}

/** The server does not know the call. */
export function isUnknownCall(thrown: unknown): boolean {
  const refusal = refusalBehind(thrown);
  return refusal?.isTransport === true && refusal.code === UNIMPLEMENTED;
}

/** The connection was lost, or never made. */
export function isUnreachable(thrown: unknown): boolean {
  const refusal = refusalBehind(thrown);
  return refusal?.isTransport === true && refusal.code === UNAVAILABLE;
}

/** Below 100: the service is not ready, is limiting, or out of memory. 101, 103, 106: not loaded. 500 and on: nodes, channels. 65535: anything. */
function isPassing(code: number, reason: string): boolean {
  if (NOT_LOADED.has(code) || code === 106) return true;
  if (code === 65_535)
    return /not found|timeout|unavailable|not ready|no available|stopped|closed|context|lack|fail/i.test(reason);
  return code < 100 || (code >= 500 && code < 600) || (code >= 900 && code < 1000);
}
