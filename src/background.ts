import type { CallOptions } from "./types.ts";

export type LaterTask = (call: CallOptions) => Promise<unknown>;

/** Work that outlives its request: each task has a deadline, and closing waits for all of them. */
export class Background {
  readonly #running = new Set<Promise<void>>();
  readonly #timeoutMs: number;
  readonly #onFailure: (error: unknown) => void;

  constructor(options: { readonly timeoutMs: number; readonly onFailure: (error: unknown) => void }) {
    this.#timeoutMs = options.timeoutMs;
    this.#onFailure = options.onFailure;
  }

  /** Starts the task once the current turn of the event loop is over. */
  later(task: LaterTask): void {
    const running = this.#run(task).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async close(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  async #run(task: LaterTask): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), this.#timeoutMs);
    try {
      await task({ signal: controller.signal });
    } catch (error) {
      this.#onFailure(error);
    } finally {
      clearTimeout(timer);
    }
  }
}
