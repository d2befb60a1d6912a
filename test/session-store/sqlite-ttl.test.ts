import { expect, onTestFinished, test } from "vitest";
import { createSqliteSessionStore } from "../../src/adapters/session-store/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { call, SCOPE, sleep, until } from "../support/calls.ts";
import { folderForTest } from "../support/folder.ts";
import { append, begin, turn } from "../support/sessions.ts";

const now = () => new Date().toISOString();

function open(ttlMs: number) {
  const database = Database.open(folderForTest().file("sessions.db"));
  const store = createSqliteSessionStore(database, { leaseMs: 60_000, pendingMax: 64, ttlMs });
  onTestFinished(async () => {
    await store.close?.();
    await database.close();
  });
  const rows = (table: string) => database.get<{ n: number }>(`SELECT count(*) AS n FROM ${table}`)?.n;
  return { store, rows };
}

test("nobody goes on with it: it is forgotten at once, with all its turns; going on keeps it", async () => {
  const { store, rows } = open(1200);
  await append(store, "left", turn({ at: now() }));
  for (let i = 0; i < 4; i++) {
    await append(store, "kept", turn({ at: now() }));
    await sleep(450);
  }
  const left = await store.load(SCOPE, "left", 10, call());
  expect(left).toMatchObject({ version: 0, turns: [] });
  expect((await store.load(SCOPE, "kept", 10, call())).turnCount).toBe(4);
  await until("its rows are gone", () => rows("sessions") === 1, 3000);
  expect(rows("turns")).toBe(4);
});

test("a forgotten conversation begins anew under the same id, before and after it is purged", async () => {
  const { store } = open(400);
  await append(store, "s", turn({ at: now(), question: "옛 질문" }));
  await sleep(500);
  const next = turn({ at: now(), question: "새 질문" });
  expect(await begin(store, "s", next)).toMatchObject({ turnCount: 0, turns: [] });
  await store.finish(SCOPE, "s", next, call());
  expect(await store.load(SCOPE, "s", 10, call())).toMatchObject({ turnCount: 1, turns: [{ question: "새 질문" }] });
});

test("hundreds are purged in pieces, and those in use stay", async () => {
  const { store, rows } = open(1500);
  await Promise.all(Array.from({ length: 450 }, (_, i) => append(store, `old-${i}`, turn({ at: now() }))));
  await sleep(1200);
  await begin(store, "asking", turn());
  await until("the old ones are gone", () => rows("sessions") === 1, 4000);
  expect((await store.load(SCOPE, "asking", 10, call())).pending).toHaveLength(1);
});
