import { afterAll, beforeAll, describe } from "vitest";
import { OpenSearchPassageIndex } from "../../../src/adapters/passage-index/opensearch.ts";
import { fusionStoreContract } from "../../contract/fusion-store.ts";
import { MODEL, type OpenedPassageIndex, passageIndexContract } from "../../contract/passage-index.ts";
import { passageIndexWritesContract } from "../../contract/passage-index-writes.ts";
import { DIMENSIONS } from "../../contract/passages.ts";
import { type OpenSearchCluster, openSearch, startOpenSearch } from "../../support/opensearch.ts";

describe.skipIf(openSearch.missing !== null)(openSearch.missing ?? "OpenSearch 3.5, one node", () => {
  let cluster: OpenSearchCluster | undefined;
  let prefixes = 0;
  beforeAll(async () => {
    cluster = await startOpenSearch();
  });
  afterAll(() => cluster?.close());

  const open = (prefix: string, model = MODEL, dimensions = DIMENSIONS) =>
    new OpenSearchPassageIndex({ url: cluster?.url ?? "", prefix, shards: 1, replicas: 0 }, { model, dimensions });

  async function opened(): Promise<OpenedPassageIndex> {
    const prefix = `t${prefixes++}`;
    const index = open(prefix);
    const another = async (model?: string, dimensions?: number) => {
      const other = open(prefix, model, dimensions);
      return { index: other, close: () => other.close() };
    };
    return { index, another, close: () => index.close() };
  }

  passageIndexContract("opensearch", opened);
  passageIndexWritesContract("opensearch", opened);
  fusionStoreContract("opensearch", async () => {
    const prefix = `t${prefixes++}`;
    const [index, elsewhere] = [open(prefix, "test"), open(prefix, "test")];
    const close = async () => {
      await index.close();
      await elsewhere.close();
    };
    return { index, elsewhere, close };
  });
});
