import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MilvusPassageIndex } from "../../../src/adapters/passage-index/milvus.ts";
import { MilvusConnection } from "../../../src/adapters/passage-index/milvus-client.ts";
import type { PassageIndex } from "../../../src/ports/passage-index.ts";
import type { Scope } from "../../../src/types.ts";
import { MODEL } from "../../contract/passage-index.ts";
import { DIMENSIONS, document, passage, unit } from "../../contract/passages.ts";
import { call, scope, until } from "../../support/calls.ts";
import { type MilvusServer, milvus, milvusLite, startMilvus, startMilvusLite } from "../../support/milvus.ts";

/** Records of a text of 250,000 bytes. */
const LONG_PIECES = 4;

/** With the time ticks that a server has unless it is told otherwise. */
describe.each([
  { name: "Milvus 2.3.5", missing: milvus.missing, start: () => startMilvus({ timeTickMs: 200 }) },
  { name: "Milvus Lite 3.2.2", missing: milvusLite.missing, start: startMilvusLite },
])("$name, as it is configured by default", ({ missing, start }) => {
  describe.skipIf(missing !== null)(missing ?? "started", () => {
    let server: MilvusServer | undefined;
    let index: PassageIndex;
    const options = () => ({ url: server?.url ?? "", prefix: "session", shards: 1, consistency: "session" }) as const;
    const open = () => MilvusPassageIndex.open(options(), { model: MODEL, dimensions: DIMENSIONS });
    const found = async (where: Scope, by = index) => {
      const { byText } = await by.search(where, { text: "휴가", limit: 50 }, call());
      return byText.map(({ passage: { text } }) => text).toSorted();
    };

    beforeAll(async () => {
      server = await start();
      index = await open();
    });
    afterAll(async () => {
      await index.close?.();
      await server?.close();
    });

    test("a process finds at once what it has written, however often", async () => {
      const where = scope({ collection: "own" });
      for (let i = 0; i < 10; i++) {
        await index.replace(where, document("d"), [passage(`휴가 ${i}`, i % DIMENSIONS)], call());
        expect(await found(where)).toEqual([`휴가 ${i}`]);
        expect((await index.search(where, { vector: unit(0), limit: 5 }, call())).byVector).toHaveLength(1);
      }
    });

    test("and soon what another one has, of which it never sees a half", async () => {
      const where = scope({ collection: "others" });
      const other = await open();
      const version = (mark: string) => [0, 1, 2, 3].map((i) => passage(`휴가 ${mark} ${i}`, i));
      await index.replace(where, document("d"), version("가"), call());
      let writing = true;
      const reading = (async () => {
        const seen = new Set<string>();
        while (writing) {
          const texts = await found(where, other);
          expect([0, 4]).toContain(texts.length);
          const marks = new Set(texts.map((text) => text.split(" ")[1] ?? ""));
          expect(marks.size).toBe(texts.length === 0 ? 0 : 1);
          for (const mark of marks) seen.add(mark);
        }
        return seen;
      })();
      // If a write fails, nobody waits for it.
      reading.catch(() => undefined);
      for (const mark of ["나", "다", "라", "마", "바"])
        await index.replace(where, document("d"), version(mark), call());
      await until("the last version is seen", async () => (await found(where, other))[0] === "휴가 바 0", 15_000);
      writing = false;
      expect((await reading).size).toBeGreaterThan(0);
      await other.close();
    });

    test("a version that others have just made stands for a second, so that no cached answer outlives what it lacks", async () => {
      const where = scope({ collection: "version" });
      const other = await open();
      await index.replace(where, document("d"), [passage("휴가", 0)], call());
      const own = await index.version(where, call());
      expect(own).not.toContain("~");
      await until("it is seen", async () => (await other.version(where, call())).startsWith(own), 15_000);
      expect(await other.version(where, call())).toMatch(/~\d+$/);
      await other.close();
    });

    test("collections that somebody has dropped are as if they had never been, and are made again", async () => {
      const where = scope({ collection: "dropped" });
      await index.replace(where, document("d"), [passage("휴가", 0)], call());
      const connection = await MilvusConnection.open({ url: server?.url ?? "" });
      const { data } = await connection.once("List", (client, timeout) => client.showCollections({ timeout }), call());
      for (const { name } of data) {
        await connection.once(
          "Drop",
          (client, timeout) => client.dropCollection({ collection_name: name, timeout }),
          call(),
        );
      }
      await connection.close();
      expect(await index.search(where, { text: "휴가", vector: unit(0), limit: 5 }, call())).toEqual({
        byText: [],
        byVector: [],
      });
      expect(await index.status(where, call())).toMatchObject({ documents: 0 });
      await index.replace(where, document("e"), [passage("휴가 둘", 0)], call());
      expect(await found(where)).toEqual(["휴가 둘"]);
    });

    test("of what is released it says nothing, and loads it; of passages that are dropped alone it says that they are gone", async () => {
      const where = scope({ collection: "released" });
      const own = { ...options(), prefix: "released" };
      const openOwn = () => MilvusPassageIndex.open(own, { model: MODEL, dimensions: DIMENSIONS });
      const [writer, reader] = [await openOwn(), await openOwn()];
      await writer.replace(where, document("d"), [passage("휴가", 0)], call());
      const search = () => reader.search(where, { text: "휴가", vector: unit(0), limit: 5 }, call());
      await until("it is found", async () => (await search()).byVector.length === 1, 15_000);
      const connection = await MilvusConnection.open({ url: server?.url ?? "" });
      const { data } = await connection.once("List", (client, timeout) => client.showCollections({ timeout }), call());
      const collection_name = data.find(({ name }) => name.startsWith("released_passages"))?.name ?? "";
      await connection.once(
        "Release",
        (client, timeout) => client.releaseCollection({ collection_name, timeout }),
        call(),
      );
      expect((await search()).byVector).toHaveLength(1);
      await connection.once("Drop", (client, timeout) => client.dropCollection({ collection_name, timeout }), call());
      await connection.close();
      await expect(search()).rejects.toMatchObject({
        code: "dependency_failed",
        retryable: false,
        message: `Milvus has no collection ${collection_name} any more: restore it, or erase what is indexed and index it again.`,
      });
      await Promise.all([writer.close(), reader.close()]);
    });

    test("what is over is deleted, a long text and the counts of many batches with it, and nothing else", {
      timeout: 400_000,
    }, async () => {
      const where = scope({ collection: "swept" });
      const own = { ...options(), prefix: "swept", consistency: "strong" } as const;
      // After every write: while the next one is under way, and with it the end of what is looked at.
      const hasty = { graceMs: 0, pauseMs: 0, batchesMax: 8 };
      const openHasty = () => MilvusPassageIndex.open(own, { model: MODEL, dimensions: DIMENSIONS }, hasty);
      const long = `휴가 ${"긴 글이 이어진다. ".repeat(10_000)}끝말`;
      const sweeping = await openHasty();
      await sweeping.replace(where, document("kept"), [passage(long, 0), passage("급여", 1)], call());
      await sweeping.replace(where, document("gone"), [passage(long, 0)], call());
      for (let i = 0; i < 20; i++) {
        await sweeping.replace(where, document("d"), [passage(i % 5 === 0 ? long : `휴가 ${i}`, 2)], call());
      }
      await sweeping.delete(where, "gone", call());
      await sweeping.close();
      const connection = await MilvusConnection.open({ url: server?.url ?? "" });
      const counted = async (collection_name: string, filter: string) => {
        const request = { collection_name, filter, output_fields: ["count(*)"] };
        const { data: rows } = await connection.once(
          "Query",
          (client, timeout) => client.query({ ...request, timeout }),
          call(),
        );
        return Number(rows[0]?.["count(*)"]);
      };
      const { data } = await connection.once("List", (client, timeout) => client.showCollections({ timeout }), call());
      const [passages = "", records = ""] = [/^swept_passages/, /^swept_records/].map(
        (matching) => data.find(({ name }) => matching.test(name))?.name,
      );
      await until(
        "only what is current is left",
        async () => {
          // It sweeps after its write, and closes when it has.
          const one = await openHasty();
          await one.replace(where, document("d"), [passage("휴가 마지막", 2)], call());
          await one.close();
          return (
            (await counted(passages, 'part != ""')) === 3 &&
            (await counted(records, 'kind == "t"')) === LONG_PIECES &&
            (await counted(records, 'kind == "g"')) === 0 &&
            (await counted(records, 'kind == "w"')) <= 10
          );
        },
        200_000,
      );
      await connection.close();
      const fresh = await openHasty();
      const { byText } = await fresh.search(where, { text: "휴가", limit: 50 }, call());
      expect(byText.map(({ passage: { documentId, text } }) => [documentId, text]).toSorted()).toEqual([
        ["d", "휴가 마지막"],
        ["kept", long],
      ]);
      expect(await fresh.status(where, call())).toMatchObject({ documents: 2, passages: 3 });
      await fresh.close();
    });

    test("more hits than the server gives are refused before it is asked", async () => {
      const refused = { code: "request_invalid", message: expect.stringMatching(/limit.*at most 16320/) };
      await expect(index.search(scope(), { text: "휴가", limit: 20_000 }, call())).rejects.toMatchObject(refused);
    });

    test("what metadata cannot be held is refused by name, and lists are looked through as far as they go", async () => {
      const where = scope({ collection: "metadata" });
      const large = document("d", { metadata: { note: "가".repeat(30_000) } });
      await expect(index.replace(where, large, [passage("휴가", 0)], call())).rejects.toMatchObject({
        code: "request_invalid",
        message: expect.stringContaining("metadata"),
      });
      const years = Array.from({ length: 37 }, (_, i) => 1980 + i);
      await index.replace(where, document("d", { metadata: { years } }), [passage("휴가", 0)], call());
      const within = async (low: number, high: number) => {
        const filter = { years: { $gte: low, $lt: high } };
        return (await index.search(where, { text: "휴가", limit: 5, filter }, call())).byText.length;
      };
      expect([await within(2016, 2017), await within(2017, 2100), await within(1979, 1980)]).toEqual([1, 0, 0]);
    });
  });
});
