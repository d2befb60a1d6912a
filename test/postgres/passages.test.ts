import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PostgresPassageIndex } from "../../src/adapters/passage-index/postgres.ts";
import type { Scope } from "../../src/types.ts";
import { indexOptions, type PostgresServer, postgresMissing, startPostgres } from "../support/postgres.ts";

const CALL = { signal: new AbortController().signal };
const EVERYONE: Scope = { tenant: "a", collection: "docs", groups: [] };
const STAFF: Scope = { ...EVERYONE, groups: ["staff"] };
const SPACE = { model: "test", dimensions: 2 };

describe.skipIf(postgresMissing !== null)(
  `passages that were read${postgresMissing ? ` (${postgresMissing})` : ""}`,
  () => {
    let server: PostgresServer;
    let index: PostgresPassageIndex;
    beforeAll(async () => {
      server = await startPostgres();
      index = await PostgresPassageIndex.open(indexOptions(server.url), SPACE);
    });
    afterAll(async () => {
      await index.close();
      await server.close();
    });

    const write = (text: string, groups: readonly string[] = []) =>
      index.replace(
        EVERYONE,
        { id: "d", title: "퇴직금", hash: "", metadata: {}, groups },
        [{ text, headings: [], tokens: 5, vector: Float32Array.of(1, 0) }],
        CALL,
      );
    const texts = async (scope: Scope) => {
      const found = await index.search(scope, { text: "퇴직금", vector: Float32Array.of(1, 0), limit: 5 }, CALL);
      expect(found.byText.map(({ passage }) => passage)).toEqual(found.byVector.map(({ passage }) => passage));
      return found.byText.map(({ passage }) => passage.text);
    };

    test("are the same object again, which what is remembered of them rests on", async () => {
      await write("퇴직금은 14일 안에 지급합니다.");
      const once = await index.search(EVERYONE, { text: "퇴직금", limit: 5 }, CALL);
      const again = await index.search(EVERYONE, { text: "퇴직금", limit: 5 }, CALL);
      expect(again.byText[0]?.passage).toBe(once.byText[0]?.passage);
    });

    test("are not given to who may not read them", async () => {
      await write("임원의 퇴직금은 따로 정합니다.", ["staff"]);
      expect(await texts(STAFF)).toEqual(["임원의 퇴직금은 따로 정합니다."]);
      expect(await texts(EVERYONE)).toEqual([]);
      expect(await texts({ ...STAFF, tenant: "b" })).toEqual([]);
    });

    test("are read again from tables that were made anew, whose numbers begin at 1 again", async () => {
      await server.query("DROP SCHEMA ragline CASCADE");
      await expect(texts(EVERYONE)).rejects.toMatchObject({ code: "dependency_failed" });
      await write("처음 글: 퇴직금");
      expect(await texts(EVERYONE)).toEqual(["처음 글: 퇴직금"]);
      await server.query("DROP SCHEMA ragline CASCADE");
      await expect(texts(EVERYONE)).rejects.toMatchObject({ code: "dependency_failed" });
      await write("다른 글: 퇴직금");
      expect(await texts(EVERYONE)).toEqual(["다른 글: 퇴직금"]);
    });
  },
);
