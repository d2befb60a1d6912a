import { expect, onTestFinished, test } from "vitest";
import { createSqliteSessionStore } from "../../src/adapters/session-store/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { call, SCOPE } from "../support/calls.ts";
import { folderForTest } from "../support/folder.ts";

const KIM = { ...SCOPE, user: "kim" };

test("a list of thousands lets others go on while it is made", async () => {
  const database = Database.open(folderForTest().file("sessions.db"));
  onTestFinished(() => database.close());
  const store = createSqliteSessionStore(database, { leaseMs: 60_000, pendingMax: 64 });
  const version = Date.now() * 1000;
  const sql = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
    INSERT INTO sessions (tenant, collection, id, version) SELECT ?1, ?2, 'kim/' || i, ?3 + 1000 * i FROM n`;
  await database.write([{ sql, values: [KIM.tenant, KIM.collection, version] }]);
  let othersTurns = 0;
  const turns = setInterval(() => othersTurns++, 0);
  onTestFinished(() => clearInterval(turns));
  const { sessions } = await store.list(KIM, { limit: 2 }, call());
  expect(sessions.map(({ id }) => id)).toEqual(["10000", "9999"]);
  expect(othersTurns).toBeGreaterThan(0);
});
