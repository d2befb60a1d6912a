import { expect, onTestFinished, test } from "vitest";
import { createSqliteSessionStore } from "../../src/adapters/session-store/sqlite.ts";
import { UnrecordedQuestions } from "../../src/adapters/session-store/unrecorded.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import type { FinishedTurn } from "../../src/types.ts";
import { retriedSaves } from "../../src/wrap/retried-saves.ts";
import { call, SCOPE, sleep, until } from "../support/calls.ts";
import { folderForTest } from "../support/folder.ts";
import { append, sqliteTakesWrites, turn } from "../support/sessions.ts";

/** Two processes, as it were, on one file. */
function shared({ ttlMs = 600_000, pendingMax = 64 } = {}) {
  const file = folderForTest().file("sessions.db");
  const [store, other] = [open(), open()];
  function open() {
    const database = Database.open(file);
    onTestFinished(() => database.close());
    return createSqliteSessionStore(database, { leaseMs: 60_000, pendingMax, ttlMs });
  }
  return {
    ...{ store, other, file },
    /** A question that cannot be recorded. */
    async beginRefused(id: string, { requestId, question }: FinishedTurn) {
      await sqliteTakesWrites(file, false);
      const { recorded } = await store.begin(SCOPE, id, { requestId, question, tokens: 5 }, 100, call());
      await expect(recorded).rejects.toMatchObject({ retryable: true });
      await sqliteTakesWrites(file, true);
    },
    finish: (id: string, one: FinishedTurn) => store.finish(SCOPE, id, one, call()),
    questions: async (id: string) => (await store.load(SCOPE, id, 100, call())).turns.map(({ question }) => question),
  };
}

const now = (question: string) => turn({ question, at: new Date().toISOString() });

test("a session that another process deleted stays deleted, and one begun anew there gets no turn of the former", async () => {
  const { store, other, beginRefused, finish, questions } = shared();
  const late = now("늦은 질문");
  await append(store, "s", now("첫 질문"));
  await beginRefused("s", late);
  expect(await other.delete(SCOPE, "s", call())).toBe(true);
  await append(other, "s", now("새 질문"));
  await expect(finish("s", late)).rejects.toMatchObject({ code: "not_found" });
  expect(await questions("s")).toEqual(["새 질문"]);
  await beginRefused("s", late);
  expect(await other.delete(SCOPE, "s", call())).toBe(true);
  await expect(finish("s", late)).rejects.toMatchObject({ code: "not_found" });
  expect(await questions("s")).toEqual([]);
});

test("what another process adds to the session meanwhile is no deletion", async () => {
  const { store, other, beginRefused, finish, questions } = shared();
  const late = now("늦은 질문");
  await append(store, "s", now("첫 질문"));
  await beginRefused("s", late);
  await append(other, "s", now("둘째 질문"));
  await finish("s", late);
  expect(await questions("s")).toEqual(["첫 질문", "둘째 질문", "늦은 질문"]);
});

test("a deletion that was refused as well deletes nothing: the turn is stored", async () => {
  const { store, file, beginRefused, finish, questions } = shared();
  const late = now("늦은 질문");
  await append(store, "s", now("첫 질문"));
  await beginRefused("s", late);
  await sqliteTakesWrites(file, false);
  await expect(store.delete(SCOPE, "s", call())).rejects.toMatchObject({ retryable: true });
  await sqliteTakesWrites(file, true);
  await finish("s", late);
  expect(await questions("s")).toEqual(["첫 질문", "늦은 질문"]);
});

test("a session that was forgotten before the question came begins anew with its turn", async () => {
  const { store, beginRefused, finish, questions } = shared({ ttlMs: 300 });
  const late = now("늦은 질문");
  await append(store, "s", now("잊힌 질문"));
  await sleep(400);
  await beginRefused("s", late);
  await finish("s", late);
  expect(await questions("s")).toEqual(["늦은 질문"]);
});

test("a question beyond the limit that two processes let in at the same moment is stored with its answer", async () => {
  const { store, other, finish, questions } = shared({ pendingMax: 1 });
  const [first, second] = [now("첫 질문"), now("둘째 질문")];
  const beginIn = (process: typeof store, { requestId, question }: FinishedTurn) =>
    process.begin(SCOPE, "s", { requestId, question, tokens: 5 }, 100, call());
  const begun = await Promise.all([beginIn(other, first), beginIn(store, second)]);
  const recorded = await Promise.allSettled(begun.map((one) => one.recorded));
  const refused = recorded.filter((one) => one.status === "rejected").map(({ reason }) => reason.code);
  expect(refused).toEqual(["rate_limited"]);
  await finish("s", second);
  await other.finish(SCOPE, "s", first, call());
  expect(await questions("s")).toEqual(["둘째 질문", "첫 질문"]);
});

test("of questions whose answers never end the oldest are forgotten", () => {
  const questions = new UnrecordedQuestions();
  for (let i = 0; i <= 10_000; i++) questions.add(["acme", "handbook", "s"], `r${i}`, { version: 1, askedAtMs: i });
  const found = (i: number) => questions.find(["acme", "handbook", "s"], `r${i}`)?.askedAtMs;
  expect([found(0), found(1), found(10_000)]).toEqual([undefined, 1, 10_000]);
});

test("a turn that waits to be stored does not bring a deleted collection back", async () => {
  const { store, file } = shared();
  const saves = retriedSaves(store, { turnsMax: 10, charsMax: 10_000, retryMs: 60_000 });
  onTestFinished(() => saves.close?.());
  const late = now("늦은 질문");
  await sqliteTakesWrites(file, false);
  const asked = { requestId: late.requestId, question: late.question, tokens: 5 };
  await expect((await saves.begin(SCOPE, "s", asked, 100, call())).recorded).rejects.toMatchObject({ retryable: true });
  await expect(saves.finish(SCOPE, "s", late, call())).rejects.toMatchObject({ retryable: true });
  await sqliteTakesWrites(file, true);
  await saves.deleteAll(SCOPE, call());
  await until("it waits no more", () => saves.counts().waiting === 0);
  expect(saves.counts()).toMatchObject({ recovered: 0, lost: 1 });
  expect((await saves.load(SCOPE, "s", 10, call())).version).toBe(0);
});
