import type { Embedder } from "../ports/embedder.ts";
import type { Fusion } from "../ports/fusion-store.ts";
import type { PassageIndex } from "../ports/passage-index.ts";
import type { CallOptions, Scope } from "../types.ts";
import { learnFusion, SAMPLE_MAX } from "./learn.ts";
import { current, type FusionChoice } from "./weights.ts";

/** Learned again once the collection has grown or shrunk by this factor. */
const GROWTH = 1.5;
/** Passages changed before a look is taken whether that is so: a quarter of what there was, and at least these. */
const LOOK_SHARE = 0.25;
const LOOK_MIN = 16;

export interface LearningStages {
  readonly index: PassageIndex;
  readonly embedder: Embedder;
  readonly settings: { readonly fusion: FusionChoice };
}

export interface FusionLearner {
  /** To be told of every change, in passages that everyone may read: whether it is time to call `learn`. Costs nothing. */
  isDue(scope: Scope, passagesChanged: number): boolean;
  /**
   * Learns how to fuse the collection's legs where that was never done, or the passages that everyone may read have become half as
   * many again, or fewer by a third, since, or the embedder or the way of learning is another. Resolves to whether it learned. Where another
   * call is learning from the collection, it looks again after that: what was written meanwhile may not have been seen.
   */
  learn(scope: Scope, call: CallOptions): Promise<boolean>;
  /** Whether something is stored that is not used, as another Ragline learned it. */
  isOutdated(scope: Scope, call: CallOptions): Promise<boolean>;
}

/**
 * Keeps what is learned up with the collections. As everybody's searches go by it, it is learned from what everyone may read alone,
 * and when is decided by that too: what a caller may not read makes no difference to it. Nothing is learned where fusion is fixed, nor with an embedder that texts
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
    const everyone = { ...scope, groups: [] };
    const { passages, embedder: indexedWith } = await index.status(everyone, call);
    written.set(keyOf(scope), { since: 0, size: passages });
    if (indexedWith !== null && indexedWith !== embedder.model) return false;
    if (!isStale(await store.load(scope, call), passages, embedder.model)) return false;
    const sample = await store.sample(everyone, SAMPLE_MAX, call);
    await store.save(scope, await learnFusion(sample, embedder, { passages, breathe, signal: call.signal }), call);
    return true;
  }

  return {
    isDue(scope, passagesChanged) {
      if (!storeNow()) return false;
      const state = written.get(keyOf(scope)) ?? { since: 0, size: 0 };
      const since = state.since + passagesChanged;
      const isDue = since >= Math.max(LOOK_MIN, state.size * LOOK_SHARE);
      written.set(keyOf(scope), { ...state, since: isDue ? 0 : since });
      return isDue;
    },
    async isOutdated(scope, call) {
      const stored = (await storeNow()?.load(scope, call)) ?? null;
      return stored !== null && current(stored) === null;
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

function isStale(stored: Fusion | null, passages: number, embedder: string): boolean {
  const learned = current(stored);
  if (!learned) return passages > 0;
  if (learned.embedder !== embedder) return true;
  return passages > learned.passages * GROWTH || passages < learned.passages / GROWTH;
}
