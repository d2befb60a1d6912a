import { leftBy } from "../../errors.ts";
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
      reject(leftBy(signal));
      return;
    }
    const leave = () => {
      pending.cancel();
      reject(leftBy(signal));
    };
    const { path, requestSerialize, responseDeserialize } = method;
    const done = (error: ServiceError | null, response?: object) => {
      signal.removeEventListener("abort", leave);
      if (error) reject(fromStatus(error, address, path));
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
  call.onServed?.({ queueMs: amount(trailer(trailers, TRAILERS.queueMs)), serviceMs: amount(serviceMs) });
  for (const [inputTokens = 0, outputTokens = 0, ms = 0] of modelCalls(trailers)) {
    call.onModelCall?.({ inputTokens, outputTokens, ms });
  }
}

function modelCalls(trailers: Metadata): readonly (readonly number[])[] {
  const text = trailer(trailers, TRAILERS.modelCalls);
  if (text === undefined) return [];
  try {
    const calls: unknown = JSON.parse(text);
    return Array.isArray(calls) ? calls.filter(Array.isArray).map((call) => call.map(amount)) : [];
  } catch {
    // Read in an event's listener, where whatever is thrown ends the process.
    return [];
  }
}

/** More is no count and no time. */
const AMOUNT_MAX = 1e12;

/** What a stage says is only taken for a number where it is one. */
function amount(said: unknown): number {
  const number = Number(said);
  return number > 0 ? Math.min(number, AMOUNT_MAX) : 0;
}

function deadlineOf({ deadline }: CallOptions): number {
  return deadline === undefined ? Number.POSITIVE_INFINITY : Date.now() + deadline - performance.now();
}
