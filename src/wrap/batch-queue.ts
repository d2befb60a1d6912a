import { RaglineError } from "../errors.ts";
import { Usual } from "../latency.ts";
import { retryAfterLine } from "../permits.ts";
import type { CallOptions } from "../types.ts";

export interface BatchQueueOptions<Item, Result> {
  /** Runs one batch: a result an item, in order. Its signal aborts when all callers of the batch have left. */
  run(items: readonly Item[], options: CallOptions): Promise<readonly Result[]>;
  /** Estimated tokens; items of like size go together. */
  sizeOf(item: Item): number;
  /** Of a batch, padding included. A single larger item is a batch of its own. */
  readonly batchTokensMax: number;
  /** Items that may wait; a call that would exceed it is refused. */
  readonly waitingMax: { readonly urgent: number; readonly patient: number };
  /** Given a look at how many items wait. */
  readonly watchQueue?: ((waiting: () => number) => void) | undefined;
}

export interface BatchQueue<Item, Result> {
  submit(items: readonly Item[], urgency: Urgency, options: CallOptions): Promise<Result[]>;
}

export type Urgency = "urgent" | "patient";

interface Call<Result> {
  readonly results: Result[];
  missing: number;
  hasLeft: boolean;
  /** When the first of its items began; null: all wait. */
  begunAt: number | null;
  readonly done: PromiseWithResolvers<Result[]>;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly size: number;
  readonly at: number;
  readonly call: Call<Result>;
}

/** How much longer the longest of a batch may be than its shortest. */
const PADDING_SHARE = 0.25;
const PADDING_TOKENS = 4;
/** Batches of urgent items in a row, while patient ones wait. */
const URGENT_IN_A_ROW = 8;

/**
 * Gathers the items of concurrent calls into batches. When nothing runs, what waits runs at once: there is no timer, and a
 * lone call waits for nobody. A batch is the oldest waiting item with the next in line of like size. Urgent items go first; every
 * ninth batch is for the patient. Items of callers who left are dropped. A batch that fails fails its calls alone.
 */
export function createBatchQueue<Item, Result>(options: BatchQueueOptions<Item, Result>): BatchQueue<Item, Result> {
  const queues: Record<Urgency, Waiting<Item, Result>[]> = { urgent: [], patient: [] };
  let running: { readonly calls: ReadonlySet<Call<Result>>; readonly controller: AbortController } | null = null;
  /** An item's share of its batch. */
  const usual = new Usual();
  let isScheduled = false;
  let urgentInARow = 0;
  options.watchQueue?.(() => queues.urgent.length + queues.patient.length);

  function take(): Waiting<Item, Result>[] {
    const isPatientsTurn = queues.urgent.length === 0 || (urgentInARow >= URGENT_IN_A_ROW && queues.patient.length > 0);
    const urgency = isPatientsTurn ? "patient" : "urgent";
    urgentInARow = isPatientsTurn ? 0 : urgentInARow + 1;
    const waiting = queues[urgency];
    const batch = together(waiting, options.batchTokensMax);
    const taken = new Set(batch);
    queues[urgency] = waiting.filter((one) => !taken.has(one));
    return batch;
  }

  async function drain(): Promise<void> {
    while (queues.urgent.length + queues.patient.length > 0) await runBatch(take());
    isScheduled = false;
  }

  async function runBatch(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    const calls = new Set(batch.map(({ call }) => call));
    const controller = new AbortController();
    running = { calls, controller };
    const startedAt = performance.now();
    for (const call of calls) call.begunAt ??= startedAt;
    try {
      const items = batch.map(({ item }) => item);
      const results = await options.run(items, controller);
      const now = performance.now();
      usual.note((now - startedAt) / batch.length, now);
      if (results.length !== batch.length) {
        throw new RaglineError(
          "dependency_failed",
          `The model gave ${results.length} results for ${batch.length} texts.`,
        );
      }
      for (const [i, { call, at }] of batch.entries()) {
        call.results[at] = results[i] as Result;
        if (--call.missing === 0) call.done.resolve(call.results);
      }
    } catch (thrown) {
      for (const call of calls) {
        call.done.reject(thrown);
        drop(call);
      }
    } finally {
      running = null;
    }
  }

  function leave(call: Call<Result>, reason: unknown): void {
    call.hasLeft = true;
    drop(call);
    call.done.reject(reason);
    if (running && [...running.calls].every(({ hasLeft }) => hasLeft)) running.controller.abort(reason);
  }

  function drop(call: Call<Result>): void {
    for (const urgency of ["urgent", "patient"] as const) {
      queues[urgency] = queues[urgency].filter((one) => one.call !== call);
    }
  }

  return {
    async submit(items, urgency, asked) {
      const { signal } = asked;
      if (items.length === 0) return [];
      signal.throwIfAborted();
      const waiting = queues[urgency];
      const max = options.waitingMax[urgency];
      if (waiting.length > 0 && waiting.length + items.length > max) {
        const retryAfterMs = retryAfterLine(waiting.length * usual.expect(performance.now()));
        const message = `${waiting.length} texts wait for the model, ${max} may; try again later.`;
        throw new RaglineError("overloaded", message, { retryAfterMs });
      }
      const call: Call<Result> = {
        results: [],
        missing: items.length,
        hasLeft: false,
        begunAt: null,
        done: Promise.withResolvers<Result[]>(),
      };
      for (const [at, item] of items.entries()) waiting.push({ item, size: options.sizeOf(item), at, call });
      const since = performance.now();
      const onAbort = () => leave(call, signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      if (!isScheduled) {
        isScheduled = true;
        // Calls of the same turn of the event loop go together.
        queueMicrotask(() => void drain());
      }
      try {
        return await call.done.promise;
      } finally {
        signal.removeEventListener("abort", onAbort);
        const now = performance.now();
        const begunAt = call.begunAt ?? now;
        asked.onServed?.({ queueMs: begunAt - since, serviceMs: now - begunAt });
      }
    },
  };
}

/** The oldest, and the next in line of like size, while the budget allows. */
function together<Item, Result>(waiting: readonly Waiting<Item, Result>[], tokensMax: number): Waiting<Item, Result>[] {
  const [oldest] = waiting;
  if (!oldest) return [];
  const batch: Waiting<Item, Result>[] = [];
  let longest = oldest.size;
  let shortest = oldest.size;
  for (const one of waiting) {
    const [low, high] = [Math.min(shortest, one.size), Math.max(longest, one.size)];
    if (high > low * (1 + PADDING_SHARE) + PADDING_TOKENS) continue;
    if (batch.length > 0 && high * (batch.length + 1) > tokensMax) continue;
    [shortest, longest] = [low, high];
    batch.push(one);
  }
  return batch;
}
