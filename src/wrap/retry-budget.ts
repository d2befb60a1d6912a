/** Further tries that are allowed however few requests there are, so that a lone reader's question is tried again. */
const TRIES_MIN = 3;
const SHARE_MAX = 0.1;
/** In so long what was counted weighs a third (1/e). */
const WINDOW_MS = 10_000;

/**
 * How many further tries a dependency may be sent: at most a tenth of the requests of the last seconds, so that a dependency in
 * trouble gets no storm on top. One a dependency.
 */
export class RetryBudget {
  #requests = 0;
  #retries = 0;
  #countedAt = 0;
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Counts a request's first try. */
  request(): void {
    this.#fade();
    this.#requests++;
  }

  /** Takes a further try, where there is one left. */
  take(): boolean {
    this.#fade();
    if (this.#retries + 1 > Math.max(TRIES_MIN, SHARE_MAX * this.#requests)) return false;
    this.#retries++;
    return true;
  }

  #fade(): void {
    const now = this.#now();
    const share = Math.exp((this.#countedAt - now) / WINDOW_MS);
    this.#countedAt = now;
    this.#requests *= share;
    this.#retries *= share;
  }
}
