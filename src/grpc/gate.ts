import { setTimeout as sleep } from "node:timers/promises";
import { RaglineError } from "../errors.ts";
import type { StageCall } from "./stage-call.ts";

/** Counts the calls under way; once it is closed no new one gets in. */
export class Gate {
  readonly #running = new Set<StageCall>();
  #isClosed = false;
  #onEmpty: (() => void) | null = null;

  /** @throws RaglineError `dependency_failed`: the stage is stopping, others may serve. */
  enter(call: StageCall): void {
    if (this.#isClosed) throw stopping();
    this.#running.add(call);
  }

  /** Whether it got in, and has not left. */
  has(call: StageCall): boolean {
    return this.#running.has(call);
  }

  leave(call: StageCall): void {
    this.#running.delete(call);
    if (this.#running.size === 0) this.#onEmpty?.();
  }

  /** Resolves when nothing runs any more, or as soon as what has not ended within `drainMs` was told to. */
  async close(drainMs: number): Promise<void> {
    this.#isClosed = true;
    if (this.#running.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onEmpty = resolve;
    const timer = new AbortController();
    const late = sleep(drainMs, undefined, { signal: timer.signal }).then(
      () => {
        for (const call of this.#running) call.abort(stopping());
      },
      () => undefined,
    );
    await Promise.race([promise, late]);
    timer.abort();
  }
}

function stopping(): RaglineError {
  return new RaglineError("dependency_failed", "The stage is stopping.");
}
