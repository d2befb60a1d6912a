import { OpenSearchPassageIndex } from "../../src/adapters/passage-index/opensearch.ts";
import { openSearch, startOpenSearch } from "../../test/support/opensearch.ts";
import { recordHttp } from "./bare.ts";
import { EMBEDDER } from "./corpus.ts";
import type { Engine } from "./engine.ts";

const HEAP_MB = 1024;

export const opensearch: Engine = {
  name: "opensearch",
  missing: openSearch.missing,
  writtenBy: ["schema", "terms", "records"]
    .map((part) => `src/adapters/passage-index/opensearch-${part}`)
    .concat("src/text"),
  async start(folder) {
    const cluster = await startOpenSearch(1, folder, HEAP_MB);
    // Shards that are there already are opened after the node answers.
    await fetch(
      `${cluster.url}/_cluster/health?wait_for_status=yellow&wait_for_no_initializing_shards=true&timeout=60s`,
    );
    const open = (url: string) =>
      new OpenSearchPassageIndex({ url, prefix: "bench", shards: 1, replicas: 0 }, EMBEDDER);
    const index = open(cluster.url);
    return {
      index,
      bare: { record: () => recordHttp(cluster.url), open: async (url) => open(url) },
      writers: 2,
      pid: cluster.nodes[0]?.pid ?? null,
      settle: async () => void (await fetch(`${cluster.url}/_flush?wait_if_ongoing=true`, { method: "POST" })),
      async close() {
        await index.close();
        await cluster.close();
      },
    };
  },
};
