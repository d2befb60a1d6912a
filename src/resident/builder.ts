import { Worker } from "node:worker_threads";
import type { PassageParts } from "../text/passage-text.ts";
import { type MergeSource, mergeArrays } from "./merge.ts";
import type { SegmentArrays } from "./scan.ts";
import { inSlices } from "./slices.ts";
import type { FoundTerms } from "./terms.ts";

export type BuildRequest =
  | { readonly id: number; readonly passages: readonly PassageParts[] }
  | { readonly id: number; readonly sources: readonly MergeSource[]; readonly dimensions: number | null };

export interface BuildReply {
  readonly id: number;
  readonly built: Built;
}

type Built = { readonly found: FoundTerms } | { readonly arrays: SegmentArrays };
type Unsent<T> = T extends unknown ? Omit<T, "id"> : never;

/** Fewer passages are done where they are sooner than handed over. */
const PASSAGES_MIN = 8;
const MERGED_MIN = 128;
/** A thread that had nothing to do for so long is ended. */
const IDLE_MS = 10_000;
/** Most of what it leaves behind is garbage at once: a larger young generation would only be memory. */
const YOUNG_MB = 4;

/**
 * A thread that prepares segments beside the searches, started when there is work. Where it dies the work is done on the thread that
 * asked.
 */
export class Builder {
  readonly #pending = new Map<number, (built: Built | null) => void>();
  #worker: Worker | null = null;
  #idle: NodeJS.Timeout | null = null;
  #lastId = 0;

  /** Null: not worth it, or it failed. */
  async terms(passages: readonly PassageParts[]): Promise<FoundTerms | null> {
    if (passages.length < PASSAGES_MIN) return null;
    const built = await this.#ask({ passages });
    return built && "found" in built ? built.found : null;
  }

  async merge(sources: readonly MergeSource[], dimensions: number | null): Promise<SegmentArrays> {
    const size = sources.reduce((sum, { passages }) => sum + passages, 0);
    const built = size < MERGED_MIN ? null : await this.#ask({ sources, dimensions });
    return built && "arrays" in built ? built.arrays : inSlices(mergeArrays(sources, dimensions));
  }

  async close(): Promise<void> {
    if (this.#idle) clearTimeout(this.#idle);
    await this.#worker?.terminate();
  }

  #ask(request: Unsent<BuildRequest>): Promise<Built | null> {
    return new Promise((resolve) => {
      const id = ++this.#lastId;
      this.#pending.set(id, resolve);
      if (this.#idle) clearTimeout(this.#idle);
      const worker = this.#worker ?? this.#start();
      worker.ref();
      worker.postMessage({ id, ...request });
    });
  }

  #start(): Worker {
    const script = new URL(`./build-thread${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
    const worker = new Worker(script, { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB } });
    worker.on("message", ({ id, built }: BuildReply) => this.#settle(id, built));
    worker.on("error", () => this.#fail(worker));
    worker.on("exit", () => this.#fail(worker));
    this.#worker = worker;
    return worker;
  }

  #settle(id: number, built: Built): void {
    this.#pending.get(id)?.(built);
    this.#pending.delete(id);
    if (this.#pending.size > 0) return;
    this.#worker?.unref();
    this.#idle = setTimeout(() => this.#retire(), IDLE_MS).unref();
  }

  #retire(): void {
    const worker = this.#worker;
    this.#worker = null;
    worker?.terminate().catch(() => undefined);
  }

  #fail(worker: Worker): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    const left = [...this.#pending.values()];
    this.#pending.clear();
    for (const resolve of left) resolve(null);
  }
}
