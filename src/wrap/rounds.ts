import { setTimeout as sleep } from "node:timers/promises";

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2000;

export interface RoundsOptions {
  isLeft(): boolean;
  /** Tries what is left. Does not reject. */
  round(): Promise<void>;
}

/** Rounds in the background for as long as anything is left to try again: 100 ms apart at first, then twice as long each time, 2 s at most. They do not keep the process. */
export class Rounds {
  readonly #options: RoundsOptions;
  readonly #closing = new AbortController();
  #running: Promise<void> | null = null;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Begins them where none are under way and something is left. */
  start(): void {
    if (!this.#running && this.#options.isLeft()) this.#running = this.#run();
  }

  /** Resolves once the round that is under way is over; none follows. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
  }

  /** `#running` is null as soon as it is seen that nothing is left: what comes in the same moment begins new rounds. */
  async #run(): Promise<void> {
    const { signal } = this.#closing;
    for (let waitMs = FIRST_WAIT_MS; this.#options.isLeft(); waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      await sleep(waitMs * (0.5 + Math.random()), undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) break;
      await this.#options.round();
    }
    this.#running = null;
  }
}
