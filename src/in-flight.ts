export interface FlightLimits {
  readonly countMax: number;
  readonly weightMax: number;
}

/** Runs tasks up to a total weight at once; a task heavier than that runs alone. */
export class InFlight {
  readonly #limits: FlightLimits;
  readonly #onWait: (() => void) | undefined;
  readonly #running = new Set<Promise<void>>();
  #weight = 0;
  #failure: { readonly thrown: unknown } | null = null;

  /** `onWait` is called whenever somebody has to wait for tasks under way. */
  constructor(limits: FlightLimits, onWait?: () => void) {
    this.#limits = limits;
    this.#onWait = onWait;
  }

  /** Resolves when the task has begun. @throws what an earlier one did */
  async add(weight: number, task: () => Promise<void>): Promise<void> {
    while (!this.#failure && !this.#hasRoomFor(weight)) {
      this.#onWait?.();
      await Promise.race(this.#running);
    }
    if (this.#failure) throw this.#failure.thrown;
    this.#weight += weight;
    const running = task()
      .catch((thrown: unknown) => {
        this.#failure ??= { thrown };
      })
      .finally(() => {
        this.#running.delete(running);
        this.#weight -= weight;
      });
    this.#running.add(running);
  }

  /** Resolves when all have ended. @throws what the first to fail did */
  async ended(): Promise<void> {
    this.#onWait?.();
    await Promise.all(this.#running);
    if (this.#failure) throw this.#failure.thrown;
  }

  #hasRoomFor(weight: number): boolean {
    const { countMax, weightMax } = this.#limits;
    return this.#running.size === 0 || (this.#running.size < countMax && this.#weight + weight <= weightMax);
  }
}
