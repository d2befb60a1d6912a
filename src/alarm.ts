/** A longer timer would be taken for none. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** One timer for all that wait, of which most are over long before they are due: each with its own would cost more than many a call takes. */
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

  /** Looks at this time at the latest; what is put off after it was asked for costs nothing but a look. */
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
