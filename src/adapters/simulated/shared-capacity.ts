interface Job {
  /** By the virtual clock, which advances by the time that each job has been given. */
  readonly endsAt: number;
  readonly resolve: () => void;
}

/**
 * Processor sharing: all calls run at once. Up to `count` of them run at full speed; of more each gets an equal part of
 * `count`, so that n calls take n / count times as long.
 */
export class SharedCapacity {
  readonly #count: number;
  /** By their ends, soonest first. */
  readonly #jobs: Job[] = [];
  #virtualMs = 0;
  #at = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(count: number) {
    this.#count = count;
  }

  /** Resolves when `workMs` of undivided time have been given to it. */
  run(workMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#advance();
    return new Promise((resolve, reject) => {
      const job: Job = {
        endsAt: this.#virtualMs + workMs,
        resolve: () => {
          signal.removeEventListener("abort", leave);
          resolve();
        },
      };
      const leave = () => {
        this.#advance();
        const at = this.#jobs.indexOf(job);
        if (at >= 0) this.#jobs.splice(at, 1);
        this.#schedule();
        reject(signal.reason);
      };
      signal.addEventListener("abort", leave, { once: true });
      const after = this.#jobs.findIndex(({ endsAt }) => endsAt > job.endsAt);
      this.#jobs.splice(after < 0 ? this.#jobs.length : after, 0, job);
      this.#schedule();
    });
  }

  get #speed(): number {
    return Math.min(1, this.#count / this.#jobs.length);
  }

  /** Moves the virtual clock to the present, past every job that has ended by then. */
  #advance(): void {
    const now = performance.now();
    for (let [next] = this.#jobs; next; [next] = this.#jobs) {
      const endsAt = this.#at + (next.endsAt - this.#virtualMs) / this.#speed;
      if (endsAt > now) break;
      this.#at = endsAt;
      this.#virtualMs = next.endsAt;
      this.#jobs.shift();
      next.resolve();
    }
    if (this.#jobs.length > 0) this.#virtualMs += (now - this.#at) * this.#speed;
    this.#at = now;
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const [next] = this.#jobs;
    if (!next) return;
    const leftMs = (next.endsAt - this.#virtualMs) / this.#speed;
    this.#timer = setTimeout(
      () => {
        this.#advance();
        this.#schedule();
      },
      Math.max(0, Math.ceil(leftMs)),
    );
  }
}
