import type { Fusion, FusionStore } from "../../ports/fusion-store.ts";
import type { CallOptions, Scope } from "../../types.ts";

/** Collections remembered; those that nobody has asked for longest go first. */
const COLLECTIONS_MAX = 1000;

/** A store on a server, which is not asked again where what it gave last is recent enough for the caller: see `CallOptions.asOf`. */
export function recentFusion(store: FusionStore): FusionStore {
  const seen = new Map<string, { readonly at: number; readonly fusion: Promise<Fusion | null> }>();
  const keyOf = ({ tenant, collection }: Scope) => JSON.stringify([tenant, collection]);
  const loaded = async (key: string, scope: Scope, call: CallOptions) => {
    const at = performance.now();
    const fusion = await store.load(scope, call);
    seen.delete(key);
    // A promise, so that giving it again makes none.
    seen.set(key, { at, fusion: Promise.resolve(fusion) });
    const [oldest] = seen.keys();
    if (oldest !== undefined && seen.size > COLLECTIONS_MAX) seen.delete(oldest);
    return fusion;
  };
  return {
    sample: (scope, limit, call) => store.sample(scope, limit, call),
    load(scope, call) {
      const key = keyOf(scope);
      const last = seen.get(key);
      return last && call.asOf !== undefined && last.at >= call.asOf ? last.fusion : loaded(key, scope, call);
    },
    async save(scope, fusion, call) {
      await store.save(scope, fusion, call);
      seen.delete(keyOf(scope));
    },
  };
}
