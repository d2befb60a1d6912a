import { RaglineError } from "../errors.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { PassageIndex } from "../ports/passage-index.ts";
import { passageText } from "../text/passage-text.ts";
import type { Scope } from "../types.ts";
import { createEmbedBatcher } from "./batch.ts";

/** Passages embedded and stored at once: what a run that is stopped loses at most. */
const BATCH_PASSAGES = 64;

/** `passages` may grow while others write. */
export interface ReindexProgress {
  readonly passages: number;
  readonly embedded: number;
}

export interface ReindexReport {
  /** The vector space before; null: nothing is stored. */
  readonly from: string | null;
  readonly to: string;
  readonly passages: number;
  /** Embedded in this run. */
  readonly embedded: number;
  /** Taken over from a run that was stopped. */
  readonly resumed: number;
  readonly elapsedMs: number;
}

export interface ReindexOptions {
  readonly scope: Scope;
  readonly signal: AbortSignal;
  onProgress?(progress: ReindexProgress): void;
}

/**
 * Embeds every passage of a collection anew, into a shadow, and puts that in the place of the old vectors at once. Searches in
 * the old space go on until then. A run that was stopped is taken up by the next.
 * @throws RaglineError when the embedder or the index fails; the next run goes on from there.
 */
export async function reindex(
  stages: { readonly embedder: Embedder; readonly index: PassageIndex },
  { scope, signal, onProgress }: ReindexOptions,
): Promise<ReindexReport> {
  const startedAt = performance.now();
  const { reembedding } = stages.index;
  if (!reembedding) {
    throw new RaglineError(
      "request_invalid",
      "reindex: this index cannot do it; index into another collection instead",
    );
  }
  const state = await reembedding.begin(scope, { signal });
  let embedded = 0;
  const report = () => ({
    from: state.from,
    to: state.to,
    passages: Math.max(state.passages, state.embedded + embedded),
    embedded,
    resumed: state.from === state.to ? 0 : state.embedded,
    elapsedMs: performance.now() - startedAt,
  });
  if (state.from === null || state.from === state.to) return { ...report(), resumed: 0 };
  const batcher = createEmbedBatcher(stages.embedder, signal);
  for (;;) {
    signal.throwIfAborted();
    const { passages } = report();
    onProgress?.({ passages, embedded: state.embedded + embedded });
    const batch = await reembedding.pending(scope, BATCH_PASSAGES, { signal });
    if (batch.length === 0) {
      if (await reembedding.swap(scope, { signal })) return report();
      continue;
    }
    const embedding = batcher.embed(batch.map(passageText));
    batcher.flush();
    const vectors = await embedding;
    await reembedding.put(
      scope,
      batch.map(({ row }, i) => ({ row, vector: vectors[i] ?? null })),
      { signal },
    );
    embedded += batch.length;
  }
}
