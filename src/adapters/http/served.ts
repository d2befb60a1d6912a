import type { CallOptions } from "../../types.ts";
import type { Headers } from "./response-body.ts";

/** Tells the call what its response says of the time it took: text-embeddings-inference and OpenAI say it, in milliseconds. */
export function reportServed(headers: Headers, call: CallOptions): void {
  if (!call.onServed) return;
  const queueMs = milliseconds(headers["x-queue-time"]);
  const serviceMs = milliseconds(headers["x-inference-time"]) + milliseconds(headers["x-tokenization-time"]);
  const wholeMs = milliseconds(headers["x-total-time"]) || milliseconds(headers["openai-processing-ms"]);
  if (wholeMs > 0) call.onServed({ queueMs: Math.min(queueMs, wholeMs), serviceMs: Math.max(0, wholeMs - queueMs) });
  else if (queueMs + serviceMs > 0) call.onServed({ queueMs, serviceMs });
}

function milliseconds(value: string | string[] | undefined): number {
  const ms = Number(value);
  return Number.isFinite(ms) && ms > 0 ? ms : 0;
}
