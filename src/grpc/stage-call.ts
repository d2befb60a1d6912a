import { RaglineError, toRaglineError } from "../errors.ts";
import type { CallOptions, ModelCall, Served } from "../types.ts";
import { Metadata, type ServerUnaryCall, type ServerWritableStream } from "../wire/library.ts";
import { FIRST_TOKEN_MS, TRAILERS, toStatus, type WireStatus } from "../wire/status.ts";

type ServerCall = ServerUnaryCall<object, object> | ServerWritableStream<object, object>;

/** One call of the stage: its caller's deadline and leaving, and what the caller is told about it at the end. */
export class StageCall implements CallOptions {
  readonly deadline: number | undefined;
  readonly startedAt = performance.now();
  readonly #controller = new AbortController();
  readonly #modelCalls: ModelCall[] = [];
  #queueMs = 0;

  constructor(call: ServerCall) {
    this.deadline = deadlineOf(call);
    call.on("cancelled", () => this.abort(new RaglineError("cancelled", "The caller left.")));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Milliseconds until the caller stops waiting. */
  leftMs(): number {
    return (this.deadline ?? Number.POSITIVE_INFINITY) - performance.now();
  }

  elapsedMs(): number {
    return performance.now() - this.startedAt;
  }

  abort(reason: RaglineError): void {
    this.#controller.abort(reason);
  }

  onModelCall(call: ModelCall): void {
    this.#modelCalls.push(call);
  }

  onServed({ queueMs }: Served): void {
    this.#queueMs += queueMs;
  }

  trailers(): Metadata {
    const trailers = new Metadata();
    trailers.set(TRAILERS.queueMs, this.#queueMs.toFixed(3));
    trailers.set(TRAILERS.serviceMs, Math.max(0, this.elapsedMs() - this.#queueMs).toFixed(3));
    if (this.#modelCalls.length > 0) {
      const calls = this.#modelCalls.map(({ inputTokens, outputTokens, ms }) => [inputTokens, outputTokens, ms]);
      trailers.set(TRAILERS.modelCalls, JSON.stringify(calls));
    }
    return trailers;
  }

  failure(thrown: unknown): WireStatus {
    return toStatus(toRaglineError(thrown), this.trailers());
  }
}

/** By `performance.now()`. gRPC's own deadline bounds a whole answer: how long its first delta may take is said beside it. */
function deadlineOf(call: ServerCall): number | undefined {
  const [firstTokenMs] = call.metadata.get(FIRST_TOKEN_MS);
  if (firstTokenMs !== undefined) return performance.now() + Number(firstTokenMs);
  const deadline = call.getDeadline();
  const at = deadline instanceof Date ? deadline.getTime() : deadline;
  return Number.isFinite(at) ? performance.now() + at - Date.now() : undefined;
}
