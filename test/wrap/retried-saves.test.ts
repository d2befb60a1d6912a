import { expect, onTestFinished, test, vi } from "vitest";
import { RaglineError } from "../../src/errors.ts";
import type { FinishedTurn } from "../../src/types.ts";
import { type RetriedSavesOptions, retriedSaves } from "../../src/wrap/retried-saves.ts";
import { call, SCOPE, sleep, until } from "../support/calls.ts";
import { turn } from "../support/sessions.ts";
import { fakeStages } from "../support/stages.ts";

const away = () => new RaglineError("dependency_failed", "away");

/** A store that is away until it is told otherwise. */
function retried(bounds: { turnsMax?: number; charsMax?: number; retryMs?: number } = {}) {
  const state = { fails: away as (() => RaglineError) | null, stored: [] as FinishedTurn[], tries: 0, closed: false };
  const lost: string[] = [];
  const store = {
    ...fakeStages().sessions,
    async finish(_scope: unknown, _id: string, one: FinishedTurn) {
      state.tries++;
      if (state.fails) throw state.fails();
      state.stored.push(one);
    },
    async close() {
      state.closed = true;
    },
  };
  const limits = { turnsMax: 10, charsMax: 1_000_000, retryMs: 60_000, ...bounds };
  const saves = retriedSaves(store, { ...limits, onLost: ({ requestId }) => lost.push(requestId) });
  onTestFinished(() => saves.close?.());
  /** The first failure is the caller's to tell. */
  const save = (requestId: string, change: Partial<FinishedTurn> = {}) =>
    expect(saves.finish(SCOPE, "s", turn({ requestId, ...change }), call())).rejects.toMatchObject({
      code: state.fails?.().code,
    });
  return { saves, state, lost, save };
}

test("turns are stored once the store is back, in order", async () => {
  const { saves, state, save, lost } = retried();
  for (const id of ["a", "b", "c"]) await save(id);
  expect(saves.counts()).toEqual({ saved: 0, failed: 3, recovered: 0, lost: 0, waiting: 3 });
  state.fails = null;
  await until("all are stored", () => state.stored.length === 3);
  expect(state.stored.map(({ requestId }) => requestId)).toEqual(["a", "b", "c"]);
  expect(saves.counts()).toEqual({ saved: 0, failed: 3, recovered: 3, lost: 0, waiting: 0 });
  expect(lost).toEqual([]);
});

test("more turns than may wait: the newest is lost, and said so; those before it are kept", async () => {
  const { saves, state, save, lost } = retried({ turnsMax: 2 });
  for (const id of ["a", "b", "c"]) await save(id);
  expect(lost).toEqual(["c"]);
  expect(saves.counts()).toEqual({ saved: 0, failed: 3, recovered: 0, lost: 1, waiting: 2 });
  state.fails = null;
  await until("the others are stored", () => state.stored.length === 2);
  // There is room again.
  state.fails = away;
  await save("d");
  expect(saves.counts()).toMatchObject({ lost: 1, waiting: 1 });
});

test("what is stored, and only not confirmed, is never lost", async () => {
  const unconfirmed = () => new RaglineError("dependency_failed", "no replica has it", { stored: true });
  const { saves, state, save, lost } = retried({ turnsMax: 1 });
  state.fails = unconfirmed;
  for (const id of ["a", "b"]) await save(id);
  expect(lost).toEqual([]);
  expect(saves.counts()).toMatchObject({ failed: 2, recovered: 1, lost: 0, waiting: 1 });
});

test("more characters than may wait", async () => {
  const { saves, save, lost } = retried({ charsMax: 1000 });
  await save("small");
  await save("large", { answer: "가".repeat(1000) });
  await save("small too");
  expect(lost).toEqual(["large"]);
  expect(saves.counts()).toMatchObject({ waiting: 2, lost: 1 });
});

test("a turn is given up after its time, and the store is left alone then", async () => {
  const { saves, state, save, lost } = retried({ retryMs: 50 });
  await save("a");
  await until("it is given up", () => lost.length === 1);
  expect(saves.counts()).toEqual({ saved: 0, failed: 1, recovered: 0, lost: 1, waiting: 0 });
  const { tries } = state;
  await sleep(300);
  expect(state.tries).toBe(tries);
});

test("what no retry mends is lost at once", async () => {
  const { saves, state, save, lost } = retried();
  state.fails = () => new RaglineError("not_found", "deleted meanwhile");
  await save("a");
  expect(lost).toEqual(["a"]);
  expect(saves.counts()).toEqual({ saved: 0, failed: 1, recovered: 0, lost: 1, waiting: 0 });
  state.fails = away;
  await save("b");
  state.fails = () => new RaglineError("not_found", "deleted meanwhile");
  await until("it is given up", () => saves.counts().lost === 2);
  expect(lost).toEqual(["a", "b"]);
});

test("whoever is told of a lost turn is told why, and whose it is", async () => {
  const errors: RaglineError[] = [];
  const conversations: unknown[] = [];
  const store = { ...fakeStages().sessions, finish: () => Promise.reject(away()) };
  const limits = { turnsMax: 0, charsMax: 0, retryMs: 1 };
  const onLost: RetriedSavesOptions["onLost"] = (_, error, of) => {
    errors.push(error);
    conversations.push(of);
  };
  const saves = retriedSaves(store, { ...limits, onLost });
  await expect(saves.finish(SCOPE, "s", turn(), call())).rejects.toThrow("away");
  expect(errors).toMatchObject([{ code: "dependency_failed", message: "away" }]);
  expect(conversations).toEqual([{ tenant: SCOPE.tenant, collection: SCOPE.collection, sessionId: "s" }]);
});

test("a turn waits behind those of its conversation that wait already; one of another conversation does not", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { saves, state, save } = retried();
  await save("a");
  const { tries } = state;
  await save("b");
  expect(state.tries).toBe(tries + 1);
  state.fails = null;
  await saves.finish(SCOPE, "other", turn({ requestId: "of another" }), call());
  await saves.finish(SCOPE, "s", turn({ requestId: "c" }), call());
  expect(state.stored.map(({ requestId }) => requestId)).toEqual(["of another", "a", "b", "c"]);
  expect(saves.counts()).toEqual({ saved: 2, failed: 2, recovered: 2, lost: 0, waiting: 0 });
});

test("while turns wait it says that they do, and why; not of those that are only not confirmed", async () => {
  const { saves, state, save } = retried();
  expect(saves.problem?.()).toBeNull();
  state.fails = () => new RaglineError("dependency_failed", "no replica has it", { stored: true });
  await save("unconfirmed");
  expect(saves.problem?.()).toBeNull();
  state.fails = () => new RaglineError("overloaded", "The disk is full.");
  await save("a");
  await save("b");
  expect(saves.problem?.()).toMatch(/^The disk is full\. .*: [23]\.$/);
  state.fails = null;
  await until("all are stored", () => saves.counts().waiting === 0);
  expect(saves.problem?.()).toBeNull();
});

test("what the store knows of itself it says first", () => {
  const store = { ...fakeStages().sessions, problem: () => "ragline.db is read-only" };
  const saves = retriedSaves(store, { turnsMax: 1, charsMax: 1, retryMs: 1 });
  expect(saves.problem?.()).toBe("ragline.db is read-only");
});

test("going on with the conversation stores its waiting turns first; another's does not", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { saves, state, save } = retried();
  await save("a");
  state.fails = null;
  await saves.load(SCOPE, "other", 5, call());
  await saves.load({ ...SCOPE, tenant: "other" }, "s", 5, call());
  await saves.load({ ...SCOPE, user: "kim" }, "s", 5, call());
  expect(state.stored).toEqual([]);
  await saves.load(SCOPE, "s", 5, call());
  expect(state.stored.map(({ requestId }) => requestId)).toEqual(["a"]);
  state.fails = away;
  await save("b");
  state.fails = null;
  await saves.begin(SCOPE, "s", { requestId: "c", question: "며칠?", tokens: 5 }, 5, call());
  expect(state.stored.map(({ requestId }) => requestId)).toEqual(["a", "b"]);
});

test("going on with the conversation does not save a turn again that is stored and only not confirmed", async () => {
  const { saves, state, save } = retried();
  state.fails = () => new RaglineError("dependency_failed", "no replica has it", { stored: true });
  await save("a");
  await saves.load(SCOPE, "s", 5, call());
  expect(state.tries).toBe(1);
  expect(saves.counts()).toMatchObject({ waiting: 1 });
  state.fails = null;
  await until("it is confirmed", () => saves.counts().recovered === 1);
});

test("closing tries once more, then gives up what is left, and closes the store", async () => {
  const back = retried();
  await back.save("a");
  back.state.fails = null;
  await back.saves.close?.();
  expect(back.state.stored).toHaveLength(1);
  expect(back.saves.counts()).toMatchObject({ recovered: 1, lost: 0, waiting: 0 });
  const gone = retried();
  await gone.save("a");
  await gone.save("b");
  const startedAt = performance.now();
  await gone.saves.close?.();
  expect(performance.now() - startedAt).toBeLessThan(1500);
  expect(gone.lost).toEqual(["a", "b"]);
  expect(gone.saves.counts()).toMatchObject({ recovered: 0, lost: 2, waiting: 0 });
  expect([back.state.closed, gone.state.closed]).toEqual([true, true]);
  // Whoever still saves then is told, and nothing waits for ever.
  await gone.save("late");
  expect(gone.saves.counts()).toMatchObject({ lost: 3, waiting: 0 });
});

test("a turn that fails just as the last that waited is stored is tried again as well", async () => {
  const failsAfter = async (steps: number) => {
    const tries = new Map<string, number>();
    let other: Promise<void> | undefined;
    const store = {
      ...fakeStages().sessions,
      async finish(_scope: unknown, _id: string, { requestId }: FinishedTurn) {
        tries.set(requestId, (tries.get(requestId) ?? 0) + 1);
        if (tries.get(requestId) === 1) throw away();
        if (requestId === "a") other = afterwards(steps);
      },
    };
    const saves = retriedSaves(store, { turnsMax: 10, charsMax: 1_000_000, retryMs: 60_000 });
    onTestFinished(() => saves.close?.());
    const save = (requestId: string) =>
      expect(saves.finish(SCOPE, requestId, turn({ requestId }), call())).rejects.toMatchObject({ retryable: true });
    const afterwards = async (left: number) => {
      for (let n = 0; n < left; n++) await Promise.resolve();
      await save("b");
    };
    await save("a");
    await until("the first is stored", () => other !== undefined);
    await other;
    await until(`the second is stored, ${steps} steps later`, () => saves.counts().waiting === 0);
  };
  await Promise.all(Array.from({ length: 12 }, (_, steps) => failsAfter(steps)));
});
