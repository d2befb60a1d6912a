import { setTimeout as sleep } from "node:timers/promises";
import { RaglineError, toRaglineError } from "../errors.ts";
import { Caller, Race } from "../race.ts";
import type { CallOptions } from "../types.ts";

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5000;
/** An OpenSearch keeps a document locked for 90 s whose writer was killed; a server comes back sooner. */
const PATIENCE_MS = 150_000;

export interface CallLimits {
  /** For failures that may pass, a call. */
  readonly patienceMs?: number;
  /** Told why something is tried again. */
  onTrouble?(message: string): void;
}

/** Runs calls, each with a deadline, and again where they failed in a way that may pass. */
export class Calls {
  readonly signal: AbortSignal;
  readonly #limits: CallLimits;

  constructor(signal: AbortSignal, limits: CallLimits = {}) {
    this.signal = signal;
    this.#limits = limits;
  }

  /** As these, and over when `signal` aborts, too. */
  until(signal: AbortSignal): Calls {
    return new Calls(AbortSignal.any([this.signal, signal]), this.#limits);
  }

  /** `to`: whom, for messages. @throws RaglineError whose message names it */
  async run<T>(to: string, limitMs: number, work: (call: CallOptions) => Promise<T>): Promise<T> {
    const { patienceMs = PATIENCE_MS, onTrouble } = this.#limits;
    const patientUntil = performance.now() + patienceMs;
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      this.signal.throwIfAborted();
      try {
        return await this.#once(limitMs, work);
      } catch (thrown) {
        const { code, message, cause, retryable } = toRaglineError(thrown);
        const failure = new RaglineError(code, `${to}: ${message}`, { cause, retryable });
        if (this.signal.aborted || !retryable || performance.now() + waitMs > patientUntil) throw failure;
        onTrouble?.(failure.message);
        await sleep(waitMs, undefined, { signal: this.signal });
      }
    }
  }

  async #once<T>(limitMs: number, work: (call: CallOptions) => Promise<T>): Promise<T> {
    const race = new Race("search", new Caller(this.signal), limitMs);
    try {
      return await race.against(work(race));
    } finally {
      race.end();
    }
  }
}
