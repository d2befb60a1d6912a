import type { Embedder } from "../ports/embedder.ts";
import type { Fusion } from "../ports/fusion-store.ts";
import type { PassageIndex } from "../ports/passage-index.ts";
import type { CallOptions, Scope } from "../types.ts";
import { LEARNER_VERSION, learnFusion, SAMPLE_MAX } from "./learn.ts";
import type { FusionChoice } from "./weights.ts";

/** Learned again once the collection has grown or shrunk by this factor. */
const GROWTH = 1.5;
/** Passages written before a look is taken whether that is so: a quarter of what there was, and at least these. */
const LOOK_SHARE = 0.25;
const LOOK_MIN = 16;

export interface LearningStages {
  readonly index: PassageIndex;
  readonly embedder: Embedder;
  readonly settings: { readonly fusion: FusionChoice };
}

export interface FusionLearner {
  /** To be told of every change: whether it is time to call `learn`. Costs nothing. */
  isDue(scope: Scope, passagesWritten: number): boolean;
  /**
   * Learns how to fuse the collection's legs where that was never done, or its passages have become half as many again, or
   * fewer by a third, since, or the embedder or the way of learning is another. Resolves to whether it learned. Where another
   * call is learning from the collection, it looks again after that: what was written meanwhile may not have been seen.
   */
  learn(scope: Scope, call: CallOptions): Promise<boolean>;
}

/**
 * Keeps what is learned up with the collections. Nothing is learned where fusion is fixed, nor with an embedder that texts
 * leave the machine for. `breathe` is called often, for others to have the event loop.
 */
export function createFusionLearner(
  { index, embedder, settings }: LearningStages,
  breathe: () => Promise<void> | undefined,
): FusionLearner {
  // Asked each time: what a stage apart serves is known once it is reached.
  const storeNow = () => (settings.fusion === "learned" && !embedder.remote ? index.fusion : undefined);
  const written = new Map<string, { since: number; size: number }>();
  const looking = new Map<string, Promise<unknown>>();
  const keyOf = ({ tenant, collection }: Scope) => JSON.stringify([tenant, collection]);

  async function learn(scope: Scope, call: CallOptions): Promise<boolean> {
    const store = storeNow();
    if (!store) return false;
    call.signal.throwIfAborted();
    const passages = await store.passages(scope, call);
    written.set(keyOf(scope), { since: 0, size: passages });
    const { embedder: indexedWith } = await index.status(scope, call);
    // Null: there are only documents that this scope may not read.
    if (indexedWith !== null && indexedWith !== embedder.model) return false;
    if (!isStale(await store.load(scope, call), passages, embedder.model)) return false;
    const sample = await store.sample(scope, SAMPLE_MAX, call);
    await store.save(scope, await learnFusion(sample, embedder, { passages, breathe, ...call }), call);
    return true;
  }

  return {
    isDue(scope, passagesWritten) {
      if (!storeNow()) return false;
      const state = written.get(keyOf(scope)) ?? { since: 0, size: 0 };
      const since = state.since + passagesWritten;
      const isDue = since >= Math.max(LOOK_MIN, state.size * LOOK_SHARE);
      written.set(keyOf(scope), { ...state, since: isDue ? 0 : since });
      return isDue;
    },
    async learn(scope, call) {
      const key = keyOf(scope);
      const before = looking.get(key) ?? Promise.resolve();
      const mine = before.then(() => learn(scope, call));
      const over = mine.catch(() => undefined);
      looking.set(key, over);
      try {
        return await mine;
      } finally {
        if (looking.get(key) === over) looking.delete(key);
      }
    },
  };
}

function isStale(learned: Fusion | null, passages: number, embedder: string): boolean {
  if (!learned) return passages > 0;
  if (learned.version !== LEARNER_VERSION || learned.embedder !== embedder) return true;
  return passages > learned.passages * GROWTH || passages < learned.passages / GROWTH;
}
