import { MilvusPassageIndex } from "../../src/adapters/passage-index/milvus.ts";
import { milvus as installed, startMilvus } from "../../test/support/milvus.ts";
import { EMBEDDER } from "./corpus.ts";
import type { Engine } from "./engine.ts";

/** Milvus 2.3.5, which has no sparse vectors: text is read and ranked here. */
export const milvus: Engine = {
  name: "milvus",
  missing: installed.missing,
  writtenBy: ["milvus-schema", "milvus-rows", "milvus-values", "hashed-terms"]
    .map((part) => `src/adapters/passage-index/${part}`)
    .concat("src/text"),
  async start(folder) {
    const server = await startMilvus({ timeTickMs: 200, folder });
    const options = { url: server.url, prefix: "bench", shards: 1, consistency: "session" } as const;
    const index = await MilvusPassageIndex.open(options, EMBEDDER);
    const call = { signal: new AbortController().signal };
    return {
      index,
      writers: 64,
      pid: server.pid,
      settle: () => index.settle({ tenant: "t0", collection: "bench", groups: [] }, call),
      async close() {
        await index.close();
        await server.close();
      },
    };
  },
};
