import type { Fusion, FusionStore } from "../../ports/fusion-store.ts";
import type { Scope } from "../../types.ts";

/** Collections remembered; those that nobody has asked for longest go first. */
const COLLECTIONS_MAX = 1000;

/** A store on a server, which is not asked again where what it gave last is recent enough for the caller: see `CallOptions.asOf`. */
export function recentFusion(store: FusionStore): FusionStore {
  const seen = new Map<string, { readonly at: number; readonly fusion: Fusion | null }>();
  const keyOf = ({ tenant, collection }: Scope) => JSON.stringify([tenant, collection]);
  return {
    passages: (scope, call) => store.passages(scope, call),
    sample: (scope, limit, call) => store.sample(scope, limit, call),
    async load(scope, call) {
      const key = keyOf(scope);
      const last = seen.get(key);
      if (last && call.asOf !== undefined && last.at >= call.asOf) return last.fusion;
      const at = performance.now();
      const fusion = await store.load(scope, call);
      seen.delete(key);
      seen.set(key, { at, fusion });
      const [oldest] = seen.keys();
      if (oldest !== undefined && seen.size > COLLECTIONS_MAX) seen.delete(oldest);
      return fusion;
    },
    async save(scope, fusion, call) {
      await store.save(scope, fusion, call);
      seen.delete(keyOf(scope));
    },
  };
}
