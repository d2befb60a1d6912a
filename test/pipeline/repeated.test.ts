import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createSqliteSessionStore } from "../../src/adapters/session-store/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { ask } from "../../src/pipeline/ask.ts";
import type { SessionStore } from "../../src/ports/session-store.ts";
import { call, SCOPE, sleep, until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { append, begin, turn } from "../support/sessions.ts";
import { askAll, endOf, fakeStages, modelOf, questionOf, runOf, saying } from "../support/stages.ts";

const LEASE_MS = 200;
const folder = temporaryFolder();
let database: Database;
let store: SessionStore;
beforeAll(() => {
  database = Database.open(folder.file("sessions.db"));
  store = createSqliteSessionStore(database, { leaseMs: LEASE_MS, pendingMax: 8 });
});
afterAll(async () => {
  await database.close();
  folder.remove();
});

const load = (id: string) => store.load(SCOPE, id, 100, call());
const asking = (sessionId: string, requestId: string, question: string) => ({
  stages: fakeStages({ sessions: store }),
  question: questionOf({ sessionId, turnKey: requestId, mayBeRepeated: true, question }),
});

/** Stages that count the calls of their models. */
function counting() {
  let calls = 0;
  const stages = fakeStages({
    sessions: store,
    embedder: {
      model: "fake",
      dimensions: 2,
      async embed(texts) {
        calls++;
        return texts.map(() => new Float32Array([1, 0]));
      },
    },
    model: modelOf(async function* () {
      calls++;
      yield { type: "text", text: "새 답" };
      yield { type: "end", finishReason: "stop" };
    }),
  });
  return { stages, calls: () => calls };
}

/** A model that answers, and what it was asked. */
function listening() {
  const prompts: string[] = [];
  const model = modelOf(async function* ({ messages }) {
    prompts.push(messages.map(({ content }) => content).join("\n"));
    yield { type: "text", text: "15일입니다." };
    yield { type: "end", finishReason: "stop" };
  });
  return { model, prompts };
}

describe("the turn of an earlier call is complete", () => {
  test("it is sent as it is stored, also where the conversation shows its short form; no model is called, nothing written", async () => {
    const sources = [{ n: 2, passageId: "a#0", documentId: "a", title: "A", page: 3 }];
    const stored = turn({ answer: "긴 답입니다 [2].", finishReason: "no_answer", sources });
    await append(store, "short", stored);
    const short = [{ number: 1, question: "짧게", answer: "짧게", tokens: 1 }];
    await store.replace(SCOPE, "short", (await load("short")).version, { short }, call());
    const before = await load("short");
    const { question } = asking("short", stored.requestId, stored.question);
    const { stages, calls } = counting();
    const { events, text, last } = await askAll(stages, { ...question, isFirst: true });
    await sleep(20);
    expect(calls()).toBe(0);
    expect(events.map(({ type }) => type)).toEqual(["answer-start", "source-list", "text-delta", "answer-end"]);
    expect(events[1]).toEqual({ type: "source-list", query: stored.query, sources });
    expect(text).toBe(stored.answer);
    expect(endOf(last)).toMatchObject({
      finishReason: "no_answer",
      cached: true,
      calls: {},
      degraded: [],
      ledger: null,
    });
    expect(await load("short")).toEqual(before);
  });

  test("a reader who leaves while it is sent changes nothing", async () => {
    const stored = turn();
    await append(store, "left", stored);
    const before = await load("left");
    const { question } = asking("left", stored.requestId, stored.question);
    const { stages } = counting();
    for await (const { type } of ask(stages, question, runOf(stages), () => undefined)) {
      if (type === "text-delta") break;
    }
    expect(await load("left")).toEqual(before);
  });

  test("a turn of before, of which the reason for its end is not known, has stopped", async () => {
    const stored = turn();
    await append(store, "unknown", stored);
    const { last } = await askAll(counting().stages, asking("unknown", stored.requestId, stored.question).question);
    expect(endOf(last).finishReason).toBe("stop");
  });
});

describe("the turn of an earlier call is not complete", () => {
  const followUp = "그건 며칠이에요?";

  test("it is no conversation to follow up on: the question is searched for as it is", async () => {
    const stored = turn({ question: followUp, answer: "연차는", status: "interrupted" });
    await append(store, "follow-up", stored);
    const { stages, question } = asking("follow-up", stored.requestId, followUp);
    const { model, prompts } = listening();
    const { events } = await askAll({ ...stages, model }, question);
    expect(events[1]).toMatchObject({ type: "source-list", query: followUp });
    expect(prompts[0]?.split(followUp)).toHaveLength(2);
    expect(prompts[0]).not.toContain("연차는");
    expect(await load("follow-up")).toMatchObject({
      turnCount: 1,
      turns: [{ number: 1, answer: "15일입니다.", status: "complete", finishReason: "stop" }],
    });
  });

  test("it follows up on the turns around it alone", async () => {
    await append(store, "around", turn({ question: "연차 휴가 규정을 알려 주세요" }));
    const stored = turn({ question: followUp, answer: "", status: "failed" });
    await append(store, "around", stored);
    const { stages, question } = asking("around", stored.requestId, followUp);
    const { events } = await askAll(stages, question);
    expect(events[1]).toMatchObject({ query: expect.stringContaining("연차") });
    expect(await load("around")).toMatchObject({ turnCount: 2, turns: [{}, { number: 2, status: "complete" }] });
  });

  test.each([
    ["while its lease runs", 0],
    ["after its lease", LEASE_MS + 50],
  ])("nobody has finished it, %s", async (when, waitMs) => {
    const left = turn({ question: followUp });
    await begin(store, when, left);
    await sleep(waitMs);
    const { stages, question } = asking(when, left.requestId, followUp);
    const { model, prompts } = listening();
    const { events } = await askAll({ ...stages, model }, question);
    expect(prompts[0]?.split(followUp)).toHaveLength(2);
    expect(events[1]).toMatchObject({ type: "source-list", query: followUp });
    expect(await load(when)).toMatchObject({ turnCount: 1, turns: [{ number: 1, status: "complete" }], pending: [] });
  });

  test("nobody has finished it, and another question is a conflict", async () => {
    const left = turn({ question: followUp });
    await begin(store, "pending", left);
    const { stages, question } = asking("pending", left.requestId, "병가는?");
    await expect(askAll(stages, question)).rejects.toMatchObject({ code: "conflict", retryable: false });
    expect(await load("pending")).toMatchObject({ turnCount: 0, pending: [{ question: followUp }] });
  });
});

test("of two calls at once the turn is what is complete first, and a call that fails beside it takes nothing away", async () => {
  const proceed = Promise.withResolvers<void>();
  const slow = modelOf(async function* () {
    yield { type: "text", text: "느린 " };
    await proceed.promise;
    yield { type: "text", text: "답" };
    throw new Error("broken");
  });
  const { stages, question } = asking("two", "two#key", "휴가는 며칠인가요?");
  const settings = { generateLimits: { firstItemMs: 2000, silenceMs: 2000 } };
  const first = askAll({ ...stages, settings: { ...stages.settings, ...settings }, model: slow }, question);
  await until("the first is recorded", async () => (await load("two")).pending.length === 1);
  const second = await askAll({ ...stages, model: saying("빠른 답") }, question);
  proceed.resolve();
  expect([(await first).last.type, second.last.type]).toEqual(["answer-error", "answer-end"]);
  expect(await load("two")).toMatchObject({
    turnCount: 1,
    turns: [{ number: 1, answer: "빠른 답", status: "complete" }],
    pending: [],
  });
});
