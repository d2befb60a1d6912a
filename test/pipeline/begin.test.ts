import { expect, test } from "vitest";
import { RaglineError } from "../../src/errors.ts";
import { ask } from "../../src/pipeline/ask.ts";
import type { SessionStore } from "../../src/ports/session-store.ts";
import { Run } from "../../src/run.ts";
import type { AnswerEvent, CallOptions } from "../../src/types.ts";
import { sleep } from "../support/calls.ts";
import {
  askAll,
  broken,
  emptySession,
  fakeStages,
  hangingEmbedder,
  memoryCache,
  questionOf,
  withSessions,
} from "../support/stages.ts";

/** A question whose store answers when it is told to. */
function asked(recorded: Promise<void> = Promise.resolve()) {
  const leaving = new AbortController();
  const answered = Promise.withResolvers<Awaited<ReturnType<SessionStore["begin"]>>>();
  const calls: CallOptions[] = [];
  const finished: string[] = [];
  const failures: string[] = [];
  const ends: AnswerEvent[] = [];
  const stages = fakeStages(
    withSessions({
      begin: (_scope, _id, _asked, _turns, call) => {
        calls.push(call);
        return answered.promise;
      },
      finish: async (_scope, _id, turn) => void finished.push(`${turn.status}: ${turn.question}`),
    }),
  );
  const run = new Run({
    signal: leaving.signal,
    timeoutMs: 5000,
    limitsMs: { session: 50 },
    onFailure: ({ code, step }) => failures.push(`${step}: ${code}`),
    observer: { onModelCall: () => undefined, onDegraded: () => undefined, onEnd: (event) => ends.push(event) },
  });
  const tasks: Promise<unknown>[] = [];
  const events = ask(stages, questionOf({ question: "휴가?" }), run, (task) => {
    tasks.push(
      new Promise((resolve) => setImmediate(resolve)).then(() => task({ signal: new AbortController().signal })),
    );
  });
  return {
    next: () => events.next(),
    leave: () => leaving.abort(),
    store: {
      answers: () => answered.resolve({ session: emptySession("session"), recorded }),
      fails: () => answered.reject(broken()),
    },
    ...{ calls, finished, failures, ends },
    later: () => Promise.all(tasks),
  };
}

test("who leaves while the question is recorded leaves an interrupted turn behind, not a pending one", async () => {
  const { next, leave, store, calls, finished, ends, later } = asked();
  const first = next();
  leave();
  await expect(first).rejects.toMatchObject({ code: "cancelled", step: "session" });
  expect(calls).toHaveLength(1);
  expect(calls[0]?.signal.aborted).toBe(false);
  expect(finished).toEqual([]);
  store.answers();
  await later();
  expect(finished).toEqual(["interrupted: 휴가?"]);
  expect(ends).toMatchObject([{ type: "answer-error", error: { code: "cancelled" } }]);
});

test("who has left already records nothing", async () => {
  const { next, leave, calls, later } = asked();
  leave();
  await expect(next()).rejects.toMatchObject({ code: "cancelled" });
  await later();
  expect(calls).toEqual([]);
});

test.each(["model", "cache"])("no text comes from the %s before the question is recorded", async (source) => {
  const cache = memoryCache();
  const recorded = Promise.withResolvers<void>();
  const base = fakeStages({ cache });
  if (source === "cache") await askAll(base, questionOf({ sessionId: "before" }));
  base.turns.length = 0;
  const begin: SessionStore["begin"] = async (_scope, id) => ({
    session: emptySession(id),
    recorded: recorded.promise,
  });
  const stages = { ...base, sessions: { ...base.sessions, begin } };
  const events: string[] = [];
  const over = askAll(stages, questionOf(), { onEvent: ({ type }) => events.push(type) });
  await sleep(20);
  expect(events).toEqual(["answer-start", "source-list"]);
  recorded.resolve();
  expect((await over).last).toMatchObject({ type: "answer-end", cached: source === "cache", degraded: [] });
});

test("a question that is recorded too late is one that failed", async () => {
  const { next, store, finished, failures, ends, later } = asked();
  await expect(next()).rejects.toMatchObject({ code: "dependency_timeout", step: "session" });
  store.answers();
  await later();
  expect(finished).toEqual(["failed: 휴가?"]);
  expect(failures).toEqual(["session: dependency_timeout"]);
  expect(ends).toMatchObject([{ type: "answer-error", error: { code: "dependency_timeout", step: "session" } }]);
});

test("a store that fails is told as the end, and nothing is saved", async () => {
  const { next, store, finished, failures, ends, later } = asked();
  const first = next();
  store.fails();
  await expect(first).rejects.toMatchObject({ code: "dependency_failed", step: "session" });
  await later();
  expect(finished).toEqual([]);
  expect(failures).toEqual(["session: dependency_failed"]);
  expect(ends).toMatchObject([{ type: "answer-error", error: { code: "dependency_failed", step: "session" } }]);
});

test("where the conversation cannot be loaded, what was embedded ahead of it is cancelled", async () => {
  const stages = fakeStages(withSessions({ begin: async () => Promise.reject(broken()) }));
  const hanging = hangingEmbedder();
  const asking = askAll({ ...stages, ...hanging }, questionOf({ isFirst: true }));
  await expect(asking).rejects.toMatchObject({ code: "dependency_failed", step: "session" });
  expect(hanging.cancelled()).toBe(1);
});

test("a question that could not be made durable is not saved", async () => {
  const full = Promise.reject(new RaglineError("rate_limited", "full"));
  full.catch(() => undefined);
  const { next, leave, store, finished, later } = asked(full);
  const first = next();
  leave();
  await expect(first).rejects.toMatchObject({ code: "cancelled" });
  store.answers();
  await later();
  expect(finished).toEqual([]);
});
