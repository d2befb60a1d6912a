import type { PassageParts } from "../text/passage-text.ts";
import { type MergeSource, mergeArrays, sizeOf } from "./merge.ts";
import type { SegmentArrays } from "./scan.ts";
import { inSlices } from "./slices.ts";
import type { FoundTerms } from "./terms.ts";
import { Thread } from "./thread.ts";

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

/**
 * A thread that prepares segments beside the searches, started when there is work. Where it dies the work is done on the thread that
 * asked.
 */
export class Builder {
  #thread: Thread<BuildRequest, BuildReply> | null = null;

  /** Null: not worth it, or it failed. */
  async terms(passages: readonly PassageParts[]): Promise<FoundTerms | null> {
    if (passages.length < PASSAGES_MIN) return null;
    const built = await this.#ask({ passages });
    return built && "found" in built ? built.found : null;
  }

  async merge(sources: readonly MergeSource[], dimensions: number | null): Promise<SegmentArrays> {
    const built = sizeOf(sources) < MERGED_MIN ? null : await this.#ask({ sources, dimensions });
    return built && "arrays" in built ? built.arrays : inSlices(mergeArrays(sources, dimensions));
  }

  async close(): Promise<void> {
    await this.#thread?.end();
  }

  async #ask(request: Unsent<BuildRequest>): Promise<Built | null> {
    this.#thread ??= this.#start();
    const reply = await this.#thread.ask((id) => ({ id, ...request }));
    return reply?.built ?? null;
  }

  #start(): Thread<BuildRequest, BuildReply> {
    const started = new Thread<BuildRequest, BuildReply>(new URL("./build-thread", import.meta.url), () => {
      if (this.#thread === started) this.#thread = null;
    });
    return started;
  }
}
