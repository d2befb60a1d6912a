export interface FlightLimits {
  readonly countMax: number;
  readonly weightMax: number;
}

/** Tasks a few at a time, of so much weight together; one that is heavier runs alone. */
export class InFlight {
  readonly #limits: FlightLimits;
  readonly #running = new Set<Promise<void>>();
  #weight = 0;
  #failure: { readonly thrown: unknown } | null = null;

  constructor(limits: FlightLimits) {
    this.#limits = limits;
  }

  /** Resolves when the task has begun. @throws what an earlier one did */
  async add(weight: number, task: () => Promise<void>): Promise<void> {
    const { countMax, weightMax } = this.#limits;
    while (this.#running.size >= countMax || (this.#running.size > 0 && this.#weight + weight > weightMax)) {
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
    await Promise.all(this.#running);
    if (this.#failure) throw this.#failure.thrown;
  }
}
