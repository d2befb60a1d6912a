import type { FusionStore } from "../../ports/fusion-store.ts";
import {
  type FusionMessage,
  fusionFrom,
  fusionMessage,
  type StoredPassageMessage,
  storedPassageFrom,
} from "../../wire/search.ts";
import type { Send } from "./grpc.ts";

/** What the search stage's index keeps about fusion; of one that keeps nothing, nothing. */
export function remoteFusion(send: Send): FusionStore {
  return {
    async sample(scope, limit, call) {
      const { passages } = await send<{ passages: readonly StoredPassageMessage[] }>(
        "SamplePassages",
        scope,
        { limit },
        call,
      );
      return passages.map(storedPassageFrom);
    },
    async load(scope, call) {
      const { fusion } = await send<{ fusion: FusionMessage | null }>("LoadFusion", scope, {}, call);
      return fusion && fusionFrom(fusion);
    },
    save: async (scope, fusion, call) =>
      void (await send("SaveFusion", scope, { fusion: fusionMessage(fusion) }, call)),
  };
}
