/** Work under way, bounded. The first failure is kept and thrown by the next `add` or `settled`. */
export interface InFlight {
  /** Starts the work, once there is room for something of this size. */
  add(size: number, work: () => Promise<void>): Promise<void>;
  /** Resolves when nothing is under way any more, also where something failed. */
  settled(): Promise<void>;
}

/** `onWait` is called whenever somebody has to wait for work under way. */
export function createInFlight(limits: { count: number; size: number }, onWait: () => void): InFlight {
  const running = new Set<Promise<void>>();
  let size = 0;
  let failure: { readonly thrown: unknown } | null = null;

  async function waitUntil(hasRoom: () => boolean): Promise<void> {
    while (!failure && running.size > 0 && !hasRoom()) {
      onWait();
      await Promise.race(running);
    }
  }

  async function settled(): Promise<void> {
    onWait();
    await Promise.all(running);
    if (failure) throw failure.thrown;
  }

  return {
    async add(weight, work) {
      await waitUntil(() => running.size < limits.count && size + weight <= limits.size);
      if (failure) return settled();
      size += weight;
      const run: Promise<void> = work()
        .catch((thrown: unknown) => {
          failure ??= { thrown };
        })
        .finally(() => {
          size -= weight;
          running.delete(run);
        });
      running.add(run);
    },
    settled,
  };
}
