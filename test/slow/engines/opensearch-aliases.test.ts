import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OpenSearchPassageIndex } from "../../../src/adapters/passage-index/opensearch.ts";
import { collectionIndex, namesOf } from "../../../src/adapters/passage-index/opensearch-schema.ts";
import { MODEL } from "../../contract/passage-index.ts";
import { DIMENSIONS, document, passage, unit } from "../../contract/passages.ts";
import { call, SCOPE } from "../../support/calls.ts";
import { type OpenSearchCluster, openSearch, startOpenSearch } from "../../support/opensearch.ts";

describe.skipIf(openSearch.missing !== null)(
  openSearch.missing ?? "a collection's alias that names a second index",
  () => {
    let cluster: OpenSearchCluster | undefined;
    let prefixes = 0;
    beforeAll(async () => {
      cluster = await startOpenSearch();
    });
    afterAll(() => cluster?.close());

    /** A collection with one document, read by another process; the alias names an index of `dimensions` besides. */
    async function besides(dimensions: number) {
      const layout = { prefix: `a${prefixes++}`, shards: 1, replicas: 0 };
      const url = cluster?.url ?? "";
      const open = () => new OpenSearchPassageIndex({ url, ...layout }, { model: MODEL, dimensions: DIMENSIONS });
      const [writer, reader] = [open(), open()];
      await writer.replace(SCOPE, document("leave"), [passage("연차휴가는 15일이다", 1)], call());
      const { read } = namesOf(layout, SCOPE);
      const body = { ...collectionIndex(layout, { model: "other", dimensions }), aliases: { [read]: {} } };
      const made = await fetch(`${url}/${read}-left`, {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      expect(made.status).toBe(200);
      return {
        reader,
        async close() {
          await writer.close();
          await reader.close();
        },
      };
    }

    test.each([DIMENSIONS, 2 * DIMENSIONS])("is searched and read all the same (%i dimensions)", async (dimensions) => {
      const { reader, close } = await besides(dimensions);
      const { byText, byVector } = await reader.search(SCOPE, { text: "연차휴가", vector: unit(1), limit: 5 }, call());
      expect(byText.map(({ passage: { text } }) => text)).toEqual(["연차휴가는 15일이다"]);
      expect(byVector.map(({ passage: { text } }) => text)).toEqual(["연차휴가는 15일이다"]);
      expect(await reader.transfer.read(SCOPE, "leave", call())).toMatchObject({
        passages: [{ text: "연차휴가는 15일이다" }],
      });
      await close();
    });
  },
);
