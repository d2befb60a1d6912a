import { RaglineError } from "../../errors.ts";
import { addTraceHeaders } from "../../telemetry/headers.ts";
import type { CallOptions } from "../../types.ts";
import type { Method } from "../../wire/definitions.ts";
import { type Client, Metadata, type ServiceError } from "../../wire/library.ts";
import { fromStatus, TRAILERS, trailer } from "../../wire/status.ts";

/** One call with one answer. @throws RaglineError the stage's, or `dependency_failed`, `dependency_timeout`, the signal's reason. */
export function unary(
  client: Client,
  address: string,
  method: Method,
  request: object,
  call: CallOptions,
): Promise<object> {
  return new Promise((resolve, reject) => {
    const { signal } = call;
    if (signal.aborted) {
      reject(reasonOf(signal));
      return;
    }
    const leave = () => {
      pending.cancel();
      reject(reasonOf(signal));
    };
    const { path, requestSerialize, responseDeserialize } = method;
    const done = (error: ServiceError | null, response?: object) => {
      signal.removeEventListener("abort", leave);
      if (error) reject(fromStatus(error, address));
      else if (response) resolve(response);
    };
    const options = { deadline: deadlineOf(call) };
    const pending = client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      tracedMetadata(),
      options,
      done,
    );
    pending.on("status", ({ metadata }) => report(metadata, call));
    signal.addEventListener("abort", leave, { once: true });
  });
}

/** Says which trace the call belongs to. */
export function tracedMetadata(): Metadata {
  const headers: Record<string, string> = {};
  addTraceHeaders(headers);
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return metadata;
}

/** Tells the caller what the stage's trailers say. */
export function report(trailers: Metadata, call: CallOptions): void {
  const serviceMs = trailer(trailers, TRAILERS.serviceMs);
  if (serviceMs === undefined) return;
  call.onServed?.({ queueMs: Number(trailer(trailers, TRAILERS.queueMs) ?? 0), serviceMs: Number(serviceMs) });
  for (const [inputTokens = 0, outputTokens = 0, ms = 0] of modelCalls(trailers)) {
    call.onModelCall?.({ inputTokens, outputTokens, ms });
  }
}

function modelCalls(trailers: Metadata): readonly (readonly number[])[] {
  const text = trailer(trailers, TRAILERS.modelCalls);
  return text === undefined ? [] : (JSON.parse(text) as readonly (readonly number[])[]);
}

function deadlineOf({ deadline }: CallOptions): number {
  return deadline === undefined ? Number.POSITIVE_INFINITY : Date.now() + deadline - performance.now();
}

export function reasonOf({ reason }: AbortSignal): RaglineError {
  return reason instanceof RaglineError ? reason : new RaglineError("cancelled", "The caller left.", { cause: reason });
}
