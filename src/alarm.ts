/** The longest delay `setTimeout` takes; a longer one would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** One timer shared by all waits. Most end long before they are due, and a timer each would cost more than many calls do. */
export class Alarm {
  readonly #onLook: (now: number) => void;
  readonly #keepsProcess: boolean;
  #timer: NodeJS.Timeout | undefined;
  #firesAt = Number.POSITIVE_INFINITY;

  /** `onLook` expires who is due, by `performance.now()`, and asks for the next look for the others. */
  constructor(onLook: (now: number) => void, { keepsProcess }: { readonly keepsProcess: boolean }) {
    this.#onLook = onLook;
    this.#keepsProcess = keepsProcess;
  }

  /** Looks no later than this time. If what was due has been postponed since, the only cost is one look in vain. */
  lookAt(time: number): void {
    if (time >= this.#firesAt) return;
    this.#firesAt = time;
    clearTimeout(this.#timer);
    const ms = Math.max(0, Math.min(time - performance.now(), TIMER_MS_MAX));
    this.#timer = setTimeout(() => this.#look(), ms);
    if (!this.#keepsProcess) this.#timer.unref();
  }

  rest(): void {
    clearTimeout(this.#timer);
    this.#firesAt = Number.POSITIVE_INFINITY;
  }

  #look(): void {
    this.#firesAt = Number.POSITIVE_INFINITY;
    this.#onLook(performance.now());
  }
}
