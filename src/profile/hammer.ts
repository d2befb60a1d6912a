import { toRaglineError } from "../errors.ts";
import type { CallOptions } from "../types.ts";

/** One call that came back. Milliseconds. */
export interface Called {
  readonly ms: number;
  /** Until the first text, of calls that stream. */
  readonly firstMs: number | null;
  /** Of `ms`, by the server's own account: waiting and working; null: it gave none. */
  readonly servedMs: number | null;
}

export interface Hammered {
  readonly calls: readonly Called[];
  readonly perSecond: number;
  /** Processor time of this process, milliseconds. */
  readonly cpuMs: number;
  /** By code. */
  readonly errors: Readonly<Record<string, number>>;
}

/** A call by its number, counted over the whole run; calls when the first text comes where there is one. */
export type Call = (number: number, options: CallOptions, onFirst: () => void) => Promise<unknown>;

export interface HammerOptions {
  readonly callers: number;
  /** For how long calls are begun. */
  readonly ms: number;
  /** Where calls are slow: for how long at most, until a few have come back. */
  readonly msMax: number;
  readonly signal: AbortSignal;
}

const CALLS_MIN = 8;
const ERRORS_MAX = 50;

/** Closed loop: each caller calls again as soon as its call has ended. What is under way at the end is cancelled and not counted. */
export async function hammer(call: Call, options: HammerOptions): Promise<Hammered> {
  const { callers, ms, msMax } = options;
  const wanted = Math.min(CALLS_MIN, 2 * callers);
  const calls: Called[] = [];
  const errors = new Map<string, number>();
  const end = new AbortController();
  const stop = () => end.abort();
  options.signal.addEventListener("abort", stop, { once: true });
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  let lastAt = startedAt;
  let failed = 0;
  const isOver = () => {
    const elapsed = performance.now() - startedAt;
    return elapsed >= msMax || failed >= ERRORS_MAX || (elapsed >= ms && calls.length >= wanted);
  };
  const timer = setInterval(() => isOver() && stop(), 5);
  let number = 0;
  const caller = async (): Promise<void> => {
    while (!end.signal.aborted && !isOver()) {
      try {
        calls.push(await timed(call, number++, end.signal));
        lastAt = performance.now();
      } catch (thrown) {
        if (end.signal.aborted) return;
        const { code } = toRaglineError(thrown);
        errors.set(code, (errors.get(code) ?? 0) + 1);
        failed++;
      }
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  clearInterval(timer);
  options.signal.removeEventListener("abort", stop);
  options.signal.throwIfAborted();
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (lastAt - startedAt) / 1000;
  return {
    calls,
    perSecond: seconds > 0 ? calls.length / seconds : 0,
    cpuMs: (user + system) / 1000,
    errors: Object.fromEntries(errors),
  };
}

async function timed(call: Call, number: number, signal: AbortSignal): Promise<Called> {
  const startedAt = performance.now();
  let firstMs: number | null = null;
  let servedMs: number | null = null;
  const options: CallOptions = {
    signal,
    onServed({ queueMs, serviceMs }) {
      servedMs = (servedMs ?? 0) + queueMs + serviceMs;
    },
  };
  await call(number, options, () => {
    firstMs ??= performance.now() - startedAt;
  });
  return { ms: performance.now() - startedAt, firstMs, servedMs };
}
