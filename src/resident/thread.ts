import { Worker } from "node:worker_threads";

/** One that had nothing to do for so long is ended: it holds on to memory of segments that are gone. */
const IDLE_MS = 10_000;
/** Most of what its work leaves behind is garbage at once: a larger young generation would only be memory. */
const YOUNG_MB = 4;

/**
 * A worker that answers each request with one reply, by the request's `id`. It keeps no process alive that waits for nothing. It ends
 * after an idle time; where it dies, nothing is lost but its replies, which are null then.
 */
export class Thread<Request extends { readonly id: number }, Reply extends { readonly id: number }> {
  readonly #worker: Worker;
  readonly #pending = new Map<number, (reply: Reply | null) => void>();
  readonly #onEnd: () => void;
  #idle: NodeJS.Timeout | null = null;
  #lastId = 0;

  /** `script`: its path without an ending, as sources and built code have others. `onEnd`: it takes no requests any more. */
  constructor(script: URL, onEnd: () => void, workerData?: unknown) {
    this.#onEnd = onEnd;
    const ending = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
    const resourceLimits = { maxYoungGenerationSizeMb: YOUNG_MB };
    this.#worker = new Worker(new URL(script.href + ending), { workerData, resourceLimits });
    this.#worker.on("message", (reply: Reply) => this.#settle(reply));
    this.#worker.on("error", () => this.#fail());
    this.#worker.on("exit", () => this.#fail());
  }

  get waiting(): number {
    return this.#pending.size;
  }

  /** Null: it has died. */
  ask(requestOf: (id: number) => Request): Promise<Reply | null> {
    return new Promise((resolve) => {
      const id = ++this.#lastId;
      this.#pending.set(id, resolve);
      if (this.#idle) clearTimeout(this.#idle);
      this.#worker.ref();
      this.#worker.postMessage(requestOf(id));
    });
  }

  async end(): Promise<void> {
    if (this.#idle) clearTimeout(this.#idle);
    await this.#worker.terminate();
  }

  #settle(reply: Reply): void {
    this.#pending.get(reply.id)?.(reply);
    this.#pending.delete(reply.id);
    if (this.#pending.size > 0) return;
    this.#worker.unref();
    this.#idle = setTimeout(() => this.#retire(), IDLE_MS).unref();
  }

  #retire(): void {
    this.#onEnd();
    this.end().catch(() => undefined);
  }

  #fail(): void {
    this.#onEnd();
    const left = [...this.#pending.values()];
    this.#pending.clear();
    for (const resolve of left) resolve(null);
  }
}
