import { context, propagation } from "./api.ts";

/** Adds to a call's headers, or metadata, which trace it belongs to (W3C `traceparent`); nothing where there is no trace. */
export function addTraceHeaders(headers: Record<string, string>): void {
  propagation.inject(context.active(), headers);
}
