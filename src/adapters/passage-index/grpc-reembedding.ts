import type { PendingPassage, Reembedding, ReembeddingState } from "../../ports/reembedding.ts";
import { withBytes } from "../../wire/search.ts";
import type { Send } from "./grpc.ts";

type BeginResponse = Omit<ReembeddingState, "from"> & { readonly from?: string };

export function remoteReembedding(send: Send): Reembedding {
  return {
    async begin(scope, call) {
      const { from, to, passages, embedded } = await send<BeginResponse>("BeginReembedding", scope, {}, call);
      return { from: from ?? null, to, passages, embedded };
    },
    pending: async (scope, limit, call) =>
      (await send<{ passages: readonly PendingPassage[] }>("PendingPassages", scope, { limit }, call)).passages,
    put: async (scope, vectors, call) => void (await send("PutVectors", scope, { rows: vectors.map(withBytes) }, call)),
    swap: async (scope, call) => (await send<{ swapped: boolean }>("SwapVectors", scope, {}, call)).swapped,
  };
}
