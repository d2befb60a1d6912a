import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DATA, SETS } from "../../../bench/retrieval/sets.ts";
import { createStaticEmbedder } from "../../../src/adapters/embedder/static.ts";
import { MilvusPassageIndex } from "../../../src/adapters/passage-index/milvus.ts";
import { fusionStoreContract } from "../../contract/fusion-store.ts";
import { MODEL, type OpenedPassageIndex, passageIndexContract } from "../../contract/passage-index.ts";
import { remotePassageIndexContract } from "../../contract/passage-index-remote.ts";
import { passageIndexWritesContract } from "../../contract/passage-index-writes.ts";
import { DIMENSIONS } from "../../contract/passages.ts";
import { transferContract } from "../../contract/transfer.ts";
import { call, SCOPE } from "../../support/calls.ts";
import { type MilvusServer, milvus, milvusLite, startMilvus, startMilvusLite } from "../../support/milvus.ts";
import { relay } from "../../support/relay.ts";
import { expectAgreement } from "./agreement.ts";

/** Of each set; with `RAGLINE_ENGINES=all` all of them. */
const QUERIES_MAX = process.env.RAGLINE_ENGINES === "all" ? 10_000 : 60;
/** The larger ones take minutes: with `RAGLINE_ENGINES=all`. */
const AGREEING = new Set(process.env.RAGLINE_ENGINES === "all" ? ["SciFact (en)", "law_ko"] : ["law_ko"]);

/** What differs by server. Milvus Lite looks at every row in Python, for every search: it gets fewer of them. */
describe.each([
  { name: "Milvus 2.3.5", missing: milvus.missing, start: () => startMilvus(), rows: 10_000, isScanned: true },
  { name: "Milvus Lite 3.2.2", missing: milvusLite.missing, start: startMilvusLite, rows: 1000, isScanned: false },
])("$name", ({ name, missing, start, rows, isScanned }) => {
  describe.skipIf(missing !== null)(missing ?? "started", () => {
    let server: MilvusServer | undefined;
    let prefixes = 0;
    const open = (url: string, prefix: string, model = MODEL, dimensions = DIMENSIONS) =>
      MilvusPassageIndex.open({ url, prefix, shards: 1, consistency: "strong" }, { model, dimensions });
    const openHere = (prefix: string, model?: string, dimensions?: number) =>
      open(server?.url ?? "", prefix, model, dimensions);

    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server?.close());

    async function opened(): Promise<OpenedPassageIndex> {
      const prefix = `t${prefixes++}`;
      const index = await openHere(prefix);
      const another = async (model?: string, dimensions?: number) => {
        const other = await openHere(prefix, model, dimensions);
        return { index: other, close: () => other.close() };
      };
      return { index, another, hasNoConditionalWrites: true, close: () => index.close() };
    }

    passageIndexContract(name, opened);
    passageIndexWritesContract(name, opened);
    transferContract(name, opened);
    fusionStoreContract(name, async () => {
      const prefix = `t${prefixes++}`;
      const [index, elsewhere] = [await openHere(prefix, "test"), await openHere(prefix, "test")];
      const close = async () => {
        await index.close();
        await elsewhere.close();
      };
      return { index, elsewhere, close };
    });
    remotePassageIndexContract(
      name,
      async () => {
        const own = await start();
        const between = await relay(own.port);
        const openOwn = (model?: string, dimensions?: number) =>
          open(`http://127.0.0.1:${between.port}`, "remote", model, dimensions);
        const index = await openOwn();
        return {
          index,
          another: async (model, dimensions) => {
            const other = await openOwn(model, dimensions);
            return { index: other, close: () => other.close() };
          },
          kill: own.kill,
          restart: own.restart,
          freeze: () => own.signal("SIGSTOP"),
          thaw: () => own.signal("SIGCONT"),
          dropIdleConnections: async () => between.drop(),
          async close() {
            await index.close();
            await between.close();
            await own.close();
          },
        };
      },
      { rows, recoveryMs: 60_000 },
    );
    test(`a passage of more different words than fit into a row is ${isScanned ? "refused for that" : "found"}`, async () => {
      const index = await openHere(`w${prefixes++}`);
      const words = Array.from({ length: 5000 }, (_, i) => `word${i}`);
      const replace = (id: string, text: string) =>
        index.replace(
          SCOPE,
          { id, title: "", hash: "", metadata: {}, groups: [] },
          [{ text, headings: [], tokens: 1, vector: null }],
          call(),
        );
      const [many, few] = [replace("many", words.join(" ")), replace("few", "휴가 규정")];
      if (isScanned) {
        const message = expect.stringMatching(/^passages\[0\]\.text: 5000 different words, but at most 4096/);
        await expect(many).rejects.toMatchObject({ code: "request_invalid", message });
      }
      await Promise.all(isScanned ? [few] : [few, many]);
      const found = await index.search(SCOPE, { text: isScanned ? "휴가" : "word4999", limit: 5 }, call());
      expect(found.byText.map(({ passage }) => passage.documentId)).toEqual([isScanned ? "few" : "many"]);
      await index.close();
    });
    describe.skipIf(!existsSync(DATA))(existsSync(DATA) ? "real sets" : `no evaluation data at ${DATA}`, () => {
      test.each(SETS.filter(({ name: set }) => AGREEING.has(set)))(
        "$name: nDCG agrees with the embedded index",
        { timeout: 400_000 },
        async (set) => {
          const embedder = createStaticEmbedder();
          const index = await openHere(`s${prefixes++}`, embedder.model, embedder.dimensions);
          await expectAgreement(name, set, index, { queriesMax: QUERIES_MAX });
          await index.close();
        },
      );
    });
  });
});
