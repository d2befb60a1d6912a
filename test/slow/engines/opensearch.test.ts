import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DATA, SETS } from "../../../bench/retrieval/sets.ts";
import { createStaticEmbedder } from "../../../src/adapters/embedder/static.ts";
import { OpenSearchPassageIndex } from "../../../src/adapters/passage-index/opensearch.ts";
import { namesOf, statesOf } from "../../../src/adapters/passage-index/opensearch-schema.ts";
import { fusionStoreContract } from "../../contract/fusion-store.ts";
import { MODEL, type OpenedPassageIndex, passageIndexContract } from "../../contract/passage-index.ts";
import { remotePassageIndexContract } from "../../contract/passage-index-remote.ts";
import { passageIndexWritesContract } from "../../contract/passage-index-writes.ts";
import { DIMENSIONS, document, passage } from "../../contract/passages.ts";
import { transferContract } from "../../contract/transfer.ts";
import { call, SCOPE } from "../../support/calls.ts";
import { type OpenSearchCluster, openSearch, startOpenSearch } from "../../support/opensearch.ts";
import { relay } from "../../support/relay.ts";
import { expectAgreement } from "./agreement.ts";

const AGREEING = new Set(["SciFact (en)", "law_ko", "law_ko, no titles", "FastAPI, ko→ko"]);

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

  test("a version that a restored snapshot set back never comes back", async () => {
    const prefix = `t${prefixes++}`;
    const index = open(prefix);
    const write = async (text: string) => {
      await index.replace(SCOPE, document("d"), [passage(text, 1)], call());
      return index.version(SCOPE, call());
    };
    const restored = await write("하나");
    const lost = [await write("둘"), await write("셋")];
    const layout = { prefix, shards: 1, replicas: 0 };
    const set = await fetch(`${cluster?.url}/${statesOf(layout)}/_update/${namesOf(layout, SCOPE).key}?refresh=true`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ doc: { version: Number(restored.split(":")[1]) } }),
    });
    expect(set.status).toBe(200);
    expect(await index.version(SCOPE, call())).toBe(restored);
    expect([restored, ...lost]).not.toContain(await write("넷"));
    await index.close();
  });

  test("two processes write a collection's first documents at once: neither meets an index whose shards have not started", async () => {
    const prefix = `t${prefixes++}`;
    const [one, other] = [open(prefix), open(prefix)];
    for (let round = 0; round < 20; round++) {
      const where = { ...SCOPE, collection: `c${round}` };
      const writing = [one, other].map((index, i) =>
        index.replace(where, document(`d${i}`), [passage(`휴가 ${i}`, i)], call()),
      );
      await Promise.all(writing);
      expect(await one.status(where, call())).toMatchObject({ documents: 2 });
    }
    await Promise.all([one.close(), other.close()]);
  });

  test("what is there is read while a prefix's first documents are written: nothing, then the document", async () => {
    for (let round = 0; round < 8; round++) {
      const prefix = `t${prefixes++}`;
      const [writer, reader] = [open(prefix), open(prefix)];
      let isWritten = false;
      const writing = writer.replace(SCOPE, document("d"), [passage("휴가", 1)], call()).finally(() => {
        isWritten = true;
      });
      while (!isWritten) await Promise.all([reader.find(SCOPE, "d", call()), reader.version(SCOPE, call())]);
      await writing;
      expect(await reader.status(SCOPE, call())).toMatchObject({ documents: 1 });
      await Promise.all([writer.close(), reader.close()]);
    }
  });

  test.each(["", "/_alias/"])(
    "what was written is gone, by DELETE <index>%s: searches and writes say so, and another process makes it anew",
    async (alias) => {
      const prefix = `t${prefixes++}`;
      const index = open(prefix);
      await index.replace(SCOPE, document("d"), [passage("휴가", 1)], call());
      const names = namesOf({ prefix, shards: 1, replicas: 0 }, SCOPE);
      const path = `${names.index(0, { model: MODEL, dimensions: DIMENSIONS })}${alias && alias + names.read}`;
      expect((await fetch(`${cluster?.url}/${path}`, { method: "DELETE" })).status).toBe(200);
      const gone = {
        code: "dependency_failed",
        message:
          "An index of Ragline's, or its alias, is gone from OpenSearch: restore it, or run `ragline index` again.",
      };
      await expect(index.search(SCOPE, { text: "휴가", limit: 1 }, call())).rejects.toMatchObject(gone);
      await expect(index.replace(SCOPE, document("e"), [passage("휴가", 1)], call())).rejects.toMatchObject(gone);
      const another = open(prefix);
      await another.replace(SCOPE, document("d"), [passage("휴가", 1)], call());
      expect((await index.search(SCOPE, { text: "휴가", limit: 5 }, call())).byText).toHaveLength(1);
      expect(await index.status(SCOPE, call())).toMatchObject({ documents: 1 });
      await Promise.all([index.close(), another.close()]);
    },
  );

  remotePassageIndexContract(
    "opensearch",
    async () => {
      const own = await startOpenSearch();
      const [node] = own.nodes;
      if (!node) throw new Error("a node was to be started");
      const between = await relay(node.port);
      const url = `http://127.0.0.1:${between.port}`;
      const openOwn = (model = MODEL, dimensions = DIMENSIONS) =>
        new OpenSearchPassageIndex({ url, prefix: "remote", shards: 1, replicas: 0 }, { model, dimensions });
      const index = openOwn();
      return {
        index,
        another: async (model, dimensions) => {
          const other = openOwn(model, dimensions);
          return { index: other, close: () => other.close() };
        },
        kill: node.kill,
        restart: node.restart,
        freeze: () => node.signal("SIGSTOP"),
        thaw: () => node.signal("SIGCONT"),
        dropIdleConnections: async () => between.drop(),
        async close() {
          await index.close();
          await between.close();
          await own.close();
        },
      };
    },
    { recoveryMs: 60_000 },
  );
  test.each(["index.blocks.write", "index.blocks.read_only_allow_delete"])(
    "%s: it says so, and is written again afterwards",
    async (block) => {
      const { index, close } = await opened();
      const write = (id: string) => index.replace(SCOPE, document(id), [passage("연차휴가는 15일이다", 1)], call());
      const set = async (value: true | null) => {
        const { ok } = await fetch(`${cluster?.url}/t${prefixes - 1}-*/_settings`, {
          method: "PUT",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ [block]: value }),
        });
        expect(ok).toBe(true);
      };
      await write("before");
      await set(true);
      await expect(write("refused")).rejects.toMatchObject({
        code: "dependency_failed",
        retryable: true,
        message: expect.stringMatching(
          /^OpenSearch blocks the call \(4\d\d\): an index is read-only, as when its disk is nearly full/,
        ),
      });
      await set(null);
      await write("afterwards");
      expect((await index.search(SCOPE, { text: "연차휴가", limit: 10 }, call())).byText).toHaveLength(2);
      await close();
    },
  );

  describe.skipIf(!existsSync(DATA))(existsSync(DATA) ? "real sets" : `no evaluation data at ${DATA}`, () => {
    test.each(SETS.filter(({ name }) => AGREEING.has(name)))(
      "$name: nDCG agrees with the embedded index",
      {
        timeout: 400_000,
      },
      async (set) => {
        const embedder = createStaticEmbedder();
        const index = open(`s${prefixes++}`, embedder.model, embedder.dimensions);
        await expectAgreement("opensearch", set, index);
        await index.close();
      },
    );
  });
  passageIndexContract("opensearch", opened);
  passageIndexWritesContract("opensearch", opened);
  transferContract("opensearch", opened);
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
