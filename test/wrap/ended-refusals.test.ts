import { expect, onTestFinished, test } from "vitest";
import { RaglineError } from "../../src/errors.ts";
import type { SessionStore } from "../../src/ports/session-store.ts";
import type { FinishedTurn, Scope } from "../../src/types.ts";
import { endedRefusals } from "../../src/wrap/ended-refusals.ts";
import { call, SCOPE, sleep, until } from "../support/calls.ts";
import { fakeStages } from "../support/stages.ts";

const away = () => new RaglineError("dependency_failed", "away");

/** A store that is away until it is told otherwise; what is begun meanwhile reaches it all the same, or does not. */
function refusing(refusal = away, { arrives = true, leaseMs = 60_000, isConfirmed = true } = {}) {
  const state = { isAway: true, pending: new Set<string>(), ended: [] as FinishedTurn[], tries: 0 };
  const { sessions } = fakeStages();
  const store = endedRefusals(
    {
      ...sessions,
      async begin(scope, id, asked, turnsMax, options) {
        if (arrives) state.pending.add(asked.requestId);
        if (state.isAway) throw refusal();
        return sessions.begin(scope, id, asked, turnsMax, options);
      },
      async finish(_scope, _id, turn) {
        state.tries++;
        if (state.isAway) throw away();
        if (!state.pending.delete(turn.requestId)) throw new RaglineError("not_found", "never begun");
        state.ended.push(turn);
        if (!isConfirmed) throw new RaglineError("dependency_failed", "no replica has it", { stored: true });
      },
    },
    { leaseMs },
  );
  onTestFinished(() => store.close?.());
  const ask = (requestId: string, session = "s", scope: Scope = SCOPE) =>
    store.begin(scope, session, { requestId, question: `${requestId}은 며칠?`, tokens: 5 }, 5, call());
  return { state, ask, store };
}

test("questions that arrived though they were refused are ended as failed once the store is back, in order", async () => {
  const { state, ask } = refusing();
  await expect(ask("a")).rejects.toMatchObject({ code: "dependency_failed" });
  await expect(ask("b", "another")).rejects.toMatchObject({ code: "dependency_failed" });
  state.isAway = false;
  await until("both are ended", () => state.pending.size === 0);
  const turn = { status: "failed", answer: "", tokens: 5 };
  expect(state.ended).toMatchObject([
    { ...turn, requestId: "a", question: "a은 며칠?", query: "a은 며칠?" },
    { ...turn, requestId: "b" },
  ]);
});

test("a question whose recording took too long may have arrived as well", async () => {
  const { state, ask } = refusing(() => new RaglineError("dependency_timeout", "late"));
  await expect(ask("a")).rejects.toMatchObject({ code: "dependency_timeout" });
  state.isAway = false;
  await until("it is ended", () => state.ended.length === 1);
});

test("of a long outage the first 256 are ended, and the process keeps no more", async () => {
  const { state, ask } = refusing();
  const asked = await Promise.allSettled(Array.from({ length: 260 }, (_, i) => ask(`${i}`, `session ${i}`)));
  expect(asked.every(({ status }) => status === "rejected")).toBe(true);
  state.isAway = false;
  await until("they are ended", () => state.ended.length === 256);
  await sleep(5);
  expect([...state.pending]).toEqual(["256", "257", "258", "259"]);
});

test("what is asked in another session does not wait for it", async () => {
  const { state, ask } = refusing();
  await expect(ask("a")).rejects.toThrow("away");
  state.isAway = false;
  await ask("b", "another");
  await ask("c", "s", { ...SCOPE, user: "kim" });
  expect(state.ended).toEqual([]);
  await until("it is ended", () => state.ended.length === 1);
});

test("of one user's sessions that are deleted together none is begun again, and others' are ended", async () => {
  const { state, ask, store } = refusing();
  const [kim, lee] = [
    { ...SCOPE, user: "kim" },
    { ...SCOPE, user: "lee" },
  ];
  for (const [id, scope] of [
    ["of kim", kim],
    ["of lee", lee],
    ["of nobody", SCOPE],
  ] as const) {
    await expect(ask(id, "s", scope)).rejects.toThrow("away");
  }
  state.isAway = false;
  await store.deleteAll(kim, call());
  await until("the others are ended", () => state.ended.length === 2);
  expect(state.ended.map(({ requestId }) => requestId)).toEqual(["of lee", "of nobody"]);
});

test("what is asked next in the session comes after it, and until then is recorded behind it", async () => {
  const { state, ask } = refusing();
  for (const id of ["a", "b"]) await expect(ask(id)).rejects.toThrow("away");
  expect([...state.pending]).toEqual(["a"]);
  state.isAway = false;
  await ask("c");
  expect(state.ended.map(({ requestId }) => requestId)).toEqual(["a", "b"]);
  expect([...state.pending]).toEqual(["c"]);
});

test("one whose end is stored, and only not confirmed, holds up nothing", async () => {
  const { state, ask } = refusing(away, { isConfirmed: false });
  await expect(ask("a")).rejects.toThrow("away");
  state.isAway = false;
  await ask("b");
  expect(state.ended.map(({ requestId }) => requestId)).toEqual(["a"]);
  const { tries } = state;
  await sleep(300);
  expect(state.tries).toBe(tries);
});

test("one that is asked again under its own id is not ended as failed", async () => {
  const { state, ask } = refusing();
  await expect(ask("a")).rejects.toThrow("away");
  state.isAway = false;
  await ask("a");
  await sleep(300);
  expect(state.ended).toEqual([]);
});

test("one that never arrived is forgotten", async () => {
  const { state, ask } = refusing(away, { arrives: false });
  await expect(ask("a")).rejects.toThrow("away");
  state.isAway = false;
  await until("it was looked for", () => state.tries > 0);
  const { tries } = state;
  await sleep(400);
  expect({ tries: state.tries, ended: state.ended }).toEqual({ tries, ended: [] });
});

test("one that is answered, or that the store refuses, is left alone", async () => {
  const { state, ask } = refusing(() => new RaglineError("rate_limited", "too many"));
  await expect(ask("a")).rejects.toMatchObject({ code: "rate_limited" });
  state.isAway = false;
  await ask("b");
  await sleep(300);
  expect({ tries: state.tries, pending: [...state.pending] }).toEqual({ tries: 0, pending: ["a", "b"] });
});

test("after its lease it is left alone", async () => {
  const { state, ask } = refusing(away, { leaseMs: 50 });
  await expect(ask("a")).rejects.toThrow("away");
  await sleep(300);
  const { tries } = state;
  state.isAway = false;
  await sleep(300);
  expect({ tries: state.tries, ended: state.ended }).toEqual({ tries, ended: [] });
});

test.each([
  ["session", (store: SessionStore) => store.delete(SCOPE, "s", call())],
  ["collection", (store: SessionStore) => store.deleteAll(SCOPE, call())],
])("of a %s that is deleted none is begun again to be ended", async (_, deleteIt) => {
  const { state, ask, store } = refusing();
  for (const id of ["a", "b"]) await expect(ask(id)).rejects.toThrow("away");
  state.isAway = false;
  await deleteIt(store);
  await sleep(400);
  expect({ ended: state.ended, pending: [...state.pending] }).toEqual({ ended: [], pending: ["a"] });
});

test("a question refused just as the last that waited is ended is ended as well", async () => {
  const refusedAfter = async (steps: number) => {
    const { sessions } = fakeStages();
    const ended: string[] = [];
    let other: Promise<void> | undefined;
    const store = endedRefusals(
      {
        ...sessions,
        begin: () => Promise.reject(away()),
        async finish(_scope, _id, { requestId }) {
          ended.push(requestId);
          if (requestId === "a") other = afterwards(steps);
        },
      },
      { leaseMs: 60_000 },
    );
    onTestFinished(() => store.close?.());
    const ask = (requestId: string) =>
      expect(
        store.begin(SCOPE, requestId, { requestId, question: "며칠?", tokens: 5 }, 5, call()),
      ).rejects.toMatchObject({ code: "dependency_failed" });
    const afterwards = async (left: number) => {
      for (let n = 0; n < left; n++) await Promise.resolve();
      await ask("b");
    };
    await ask("a");
    await until("the first is ended", () => other !== undefined);
    await other;
    await until(`the second is ended, ${steps} steps later`, () => ended.includes("b"));
  };
  await Promise.all(Array.from({ length: 12 }, (_, steps) => refusedAfter(steps)));
});
