import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PostgresPassageIndex } from "../../src/adapters/passage-index/postgres.ts";
import { DIMENSIONS, document, passage, unit } from "../contract/passages.ts";
import { call, scope } from "../support/calls.ts";
import { indexOptions, type PostgresServer, postgresMissing, startPostgres } from "../support/postgres.ts";

const SPACE = { model: "test", dimensions: DIMENSIONS };
const TABLES = ["collections", "readers", "documents", "passages", "postings", "frequencies", "fields", "attributes"];

describe.skipIf(postgresMissing !== null)(`row-level security${postgresMissing ? ` (${postgresMissing})` : ""}`, () => {
  let server: PostgresServer;
  let index: PostgresPassageIndex;
  let client: pg.Client;

  beforeAll(async () => {
    server = await startPostgres();
    index = await PostgresPassageIndex.open(indexOptions(server.url), SPACE);
    const metadata = { year: 2024, kind: "규정" };
    for (const tenant of ["a", "b"]) {
      for (const collection of ["one", "two"]) {
        const where = scope({ tenant, collection });
        await index.replace(where, document("open", { metadata }), [passage(`휴가 ${tenant}`, 1)], call());
        const secret = document("secret", { metadata, groups: ["board"] });
        await index.replace(where, secret, [passage(`비밀 ${tenant}`, 2)], call());
      }
    }
    // As the adapter connects: the role that owns the tables, and no superuser.
    client = new pg.Client({ connectionString: server.url, options: "-c search_path=ragline,public" });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await index.close();
    await server.close();
  });

  const count = async (table: string) => {
    const { rows } = await client.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`);
    return rows[0]?.n;
  };
  const parts = async () => {
    const like = "SELECT relname AS name FROM pg_class WHERE relname ~ '^vectors_8(_\\d+)?$' AND relkind IN ('r', 'p')";
    return (await client.query<{ name: string }>(like)).rows.map(({ name }) => name);
  };
  const within = async <T>(settings: Readonly<Record<string, string>>, work: () => Promise<T>): Promise<T> => {
    await client.query("BEGIN");
    try {
      for (const [name, value] of Object.entries(settings)) {
        await client.query("SELECT set_config($1, $2, true)", [`ragline.${name}`, value]);
      }
      return await work();
    } finally {
      await client.query("ROLLBACK");
    }
  };
  const board = { tenant: "a", collection: "one", groups: '{"board"}' };

  test("a version that a restored backup set back never comes back", async () => {
    const where = scope({ tenant: "restored" });
    const write = async (text: string) => {
      await index.replace(where, document("d"), [passage(text, 1)], call());
      return index.version(where, call());
    };
    const restored = await write("하나");
    const lost = [await write("둘"), await write("셋")];
    await server.query("UPDATE ragline.collections SET version = $1 WHERE tenant = 'restored'", [
      restored.split(":")[1],
    ]);
    expect(await index.version(where, call())).toBe(restored);
    expect([restored, ...lost]).not.toContain(await write("넷"));
    expect(await index.delete(where, "d", call())).toBe(true);
    expect([restored, ...lost]).not.toContain(await index.version(where, call()));
    // As of a backup from before the collection was made.
    await server.query("DELETE FROM ragline.collections WHERE tenant = 'restored'");
    expect([restored, ...lost]).not.toContain(await write("하나"));
  });

  test("a statement without a scope sees nothing, in no table and no part of one", async () => {
    const tables = [...TABLES, ...(await parts())];
    expect(tables).toHaveLength(TABLES.length + 17);
    for (const table of tables) expect([table, await count(table)]).toEqual([table, 0]);
    const everything = "SELECT p.text FROM passages p, documents d, vectors_8 v WHERE true OR v.tenant = 'a'";
    expect((await client.query(everything)).rows).toEqual([]);
  });

  test("a statement that asks for everything sees its scope only: tenant, collection and groups", async () => {
    const texts = async (settings: Record<string, string>) =>
      within(settings, async () => {
        const { rows } = await client.query<{ text: string }>("SELECT text FROM passages ORDER BY text");
        return rows.map(({ text }) => text);
      });
    expect(await texts(board)).toEqual(["비밀 a", "휴가 a"]);
    expect(await texts({ ...board, groups: "*" })).toEqual(["비밀 a", "휴가 a"]);
    expect(await texts({ ...board, groups: "{}" })).toEqual(["휴가 a"]);
    expect(await texts({ ...board, groups: '{"boar","board,x"}' })).toEqual(["휴가 a"]);
    expect(await texts({ ...board, tenant: "c" })).toEqual([]);
    expect(await texts({ ...board, collection: "three" })).toEqual([]);
    expect(await texts({ tenant: "a", collection: "one" })).toEqual([]);
    await within(board, async () => {
      for (const table of ["documents", "passages", "vectors_8"]) expect(await count(table)).toBe(2);
      expect(await count("collections")).toBe(1);
      // What lies in a part is seen through its whole alone.
      for (const part of (await parts()).filter((name) => name !== "vectors_8")) expect(await count(part)).toBe(0);
    });
  });

  test("the graph of vectors is behind it too", async () => {
    await within(board, async () => {
      const nearest = "SELECT tenant FROM vectors_8 ORDER BY vector <#> $1 LIMIT 50";
      await client.query("SET LOCAL enable_seqscan = off");
      const { rows } = await client.query<{ tenant: string }>(nearest, [`[${[...unit(1)].join(",")}]`]);
      expect(rows.map(({ tenant }) => tenant)).toEqual(["a", "a"]);
    });
  });

  test("nothing can be written, changed or deleted beyond it", async () => {
    await within(board, async () => {
      expect((await client.query("UPDATE documents SET title = 'x'")).rowCount).toBe(2);
      expect((await client.query("DELETE FROM passages")).rowCount).toBe(2);
    });
    const rows = await server.query("SELECT row FROM ragline.readers WHERE tenant = 'b'");
    const insert = `INSERT INTO postings (passage, readers, term, count, length) VALUES (1, ${rows[0]?.row}, 1, 1, 1)`;
    await within(board, async () => {
      await expect(client.query(insert)).rejects.toMatchObject({ code: "42501" });
    });
  });

  test("the scope ends with its transaction", async () => {
    await within(board, async () => expect(await count("passages")).toBe(2));
    expect(await count("passages")).toBe(0);
    await client.query("SELECT * FROM collection_of('a', 'one')");
    expect(await count("collections")).toBe(0);
  });

  test("names that look like SQL or like lists are names", async () => {
    const odd = {
      tenant: `o'\\"; DROP TABLE passages; --`,
      collection: `{"board"}\\'`,
      groups: [`a"b\\,c'{}`, "", "NULL"],
    };
    await index.replace(odd, document("d", { groups: odd.groups }), [passage("휴가", 0)], call());
    expect((await index.search(odd, { text: "휴가", limit: 5 }, call())).byText).toHaveLength(1);
    expect((await index.search({ ...odd, groups: ["a"] }, { text: "휴가", limit: 5 }, call())).byText).toEqual([]);
    const nul = { ...odd, tenant: "a\0" };
    await expect(index.status(nul, call())).rejects.toMatchObject({ code: "request_invalid" });
  });

  test("a role that it does not hold for is refused, unless that is wanted", async () => {
    const asked = { ...indexOptions(server.superuserUrl), schema: "other" };
    const refused = await PostgresPassageIndex.open(asked, SPACE);
    await expect(refused.status(scope(), call())).rejects.toMatchObject({
      code: "config_invalid",
      message: expect.stringMatching(/postgres.*search\.rowSecurity/),
    });
    await refused.close();
    const wanted = await PostgresPassageIndex.open({ ...asked, rowSecurity: false }, SPACE);
    expect(await wanted.status(scope(), call())).toMatchObject({ documents: 0 });
    await wanted.close();
  });
});
