import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ConfigInput, RaglineError } from "../src/index.ts";
import type { AnswerEvent } from "../src/types.ts";
import { collect, sleep, until } from "./support/calls.ts";
import { addPages, type OpenedRagline, openRagline } from "./support/ragline.ts";
import { sampleOf, samplesOf } from "./support/scrape.ts";
import { chunk, streaming, stubModel, wholeStream } from "./support/stub-model.ts";
import type { StubServer } from "./support/stub-server.ts";

const question = "연차 휴가는 며칠인가요?";
const SAID = "연차는 15일";
const hanging = streaming([chunk.role, chunk.text("연차는"), chunk.text(" 15일")], { afterwards: "hang" });

let model: StubServer;
let config: ConfigInput;
let opened: OpenedRagline;
let abandoned = 0;
beforeAll(async () => {
  model = await stubModel();
  config = {
    generate: { use: "openai", baseUrl: model.url, model: "m", retries: 0 },
    cache: { use: "none" },
    session: { use: "sqlite", leaseMs: 300, pendingMax: 1 },
  };
  opened = await openRagline(config);
  await addPages(opened.ragline);
});
beforeEach(() => {
  abandoned = model.abandonedAt.length;
  model.answer(hanging);
});
afterAll(async () => {
  await opened.close();
  await model.close();
});

/** Reads up to what the model says before it hangs, and asks for no more. */
async function untilSaid(events: AsyncIterator<AnswerEvent>): Promise<void> {
  for (let text = ""; text !== SAID; ) {
    const { value } = await events.next();
    if (value.type === "text-delta") text += value.text;
  }
}

async function turnsOf(sessionId: string, { ragline } = opened) {
  return (await ragline.readTurns(sessionId))?.turns.map(({ status, answer }) => [status, answer]) ?? [];
}

async function underWay(): Promise<number> {
  return sampleOf(samplesOf(await opened.ragline.telemetry.metrics.text()), "ragline_active_streams");
}

describe("a signal that aborts while nobody asks for the next event", () => {
  test("ends the answer: the model is left, what was said is stored, and the conversation goes on", async () => {
    const abort = new AbortController();
    const events = opened.ragline.ask({ question, sessionId: "unread" }, { signal: abort.signal });
    await untilSaid(events);
    abort.abort();
    await until("the turn is stored", async () => (await turnsOf("unread")).length === 1);
    expect(await turnsOf("unread")).toEqual([["interrupted", SAID]]);
    await until("the model is left", () => model.abandonedAt.length > abandoned);
    expect((await opened.ragline.readSession("unread"))?.pending).toEqual([]);
    model.answer(streaming(wholeStream(["네."])));
    expect((await opened.ragline.answer({ question, sessionId: "unread" })).text).toBe("네.");
  });

  test("behind a stream that reads ahead and has no `cancel`", async () => {
    const abort = new AbortController();
    const events = opened.ragline.ask({ question, sessionId: "stream" }, { signal: abort.signal });
    const stream = new ReadableStream<AnswerEvent>({
      async pull(controller) {
        const { done, value } = await events.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
    });
    const reader = stream.getReader();
    await untilSaid({ next: () => reader.read() as Promise<IteratorResult<AnswerEvent>> });
    abort.abort();
    await reader.cancel();
    await until("the turn is stored", async () => (await turnsOf("stream")).length === 1);
    expect(await turnsOf("stream")).toEqual([["interrupted", SAID]]);
  });

  test.each([
    ["answer-start", ""],
    ["source-list", ""],
    ["text-delta", "연차는"],
  ])("after %s", async (type, said) => {
    const abort = new AbortController();
    const sessionId = `after-${type}`;
    const events = opened.ragline.ask({ question, sessionId }, { signal: abort.signal });
    while ((await events.next()).value?.type !== type);
    abort.abort();
    await until("the turn is stored", async () => (await turnsOf(sessionId)).length === 1);
    expect(await turnsOf(sessionId)).toEqual([["interrupted", said]]);
  });

  test("a reader who comes back is told how it ended", async () => {
    const abort = new AbortController();
    const events = opened.ragline.ask({ question, sessionId: "back" }, { signal: abort.signal });
    await untilSaid(events);
    abort.abort();
    await sleep(50);
    const rest = await collect(events);
    expect(rest).toMatchObject([{ type: "answer-error", error: { code: "cancelled", message: "The caller left." } }]);
    await until("the turn is stored", async () => (await turnsOf("back")).length === 1);
  });

  test("an answer counts as running no more", async () => {
    const before = await underWay();
    const abort = new AbortController();
    const events = opened.ragline.ask({ question }, { signal: abort.signal });
    await untilSaid(events);
    expect(await underWay()).toBe(before + 1);
    abort.abort();
    await until("it is over", async () => (await underWay()) === before);
  });

  test("an answer that nobody began is not begun", async () => {
    const abort = new AbortController();
    const events = opened.ragline.ask({ question, sessionId: "unbegun" }, { signal: abort.signal });
    abort.abort();
    await sleep(20);
    expect(await opened.ragline.readSession("unbegun")).toBeNull();
    await events.return();
  });
});

describe("closing while an answer is under way", () => {
  test("ends it, stores what was said, and leaves the model; later calls are refused", async () => {
    const own = await openRagline(config);
    await addPages(own.ragline);
    const read = own.ragline.ask({ question, sessionId: "read" });
    await untilSaid(read);
    const [last, unread] = [collect(read), own.ragline.ask({ question, sessionId: "unread" })];
    await untilSaid(unread);
    const late = own.ragline.ask({ question, sessionId: "late" });
    const closing = own.ragline.close();
    const cancelled = { type: "answer-error", error: { code: "cancelled", message: "Ragline is closed." } };
    expect(await last).toMatchObject([cancelled]);
    expect(own.ragline.close()).toBe(closing);
    await closing;
    expect(await collect(unread)).toMatchObject([cancelled]);
    await expect(late.next()).rejects.toMatchObject({ code: "cancelled" });
    await until("the model is left", () => model.abandonedAt.length === abandoned + 2);

    const again = await openRagline({ ...config, session: { use: "sqlite", file: own.folder.file("ragline.db") } });
    for (const id of ["read", "unread"]) {
      expect(await turnsOf(id, again)).toEqual([["interrupted", SAID]]);
      expect((await again.ragline.readSession(id))?.pending).toEqual([]);
    }
    expect(await again.ragline.readSession("late")).toBeNull();
    await again.close();

    const closed = { name: "RaglineError", code: "overloaded", message: "Ragline is closed." };
    const calls = [
      () => own.ragline.answer({ question }),
      () => own.ragline.search({ query: question }),
      () => own.ragline.index(["docs"]),
      () => own.ragline.addDocument({ id: "a", text: "b" }),
      () => own.ragline.readSession("read"),
      () => own.ragline.warm(),
      () => own.ragline.status(),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject(closed);
    expect(await own.ragline.ready()).toMatchObject({ ready: false, missing: ["closing: no new questions"] });
    own.folder.remove();
  });

  test("an answer that is being stored as complete is waited for", async () => {
    const own = await openRagline(config);
    model.answer(streaming(wholeStream(["네."])));
    const events = own.ragline.ask({ question, sessionId: "said" });
    while ((await events.next()).value?.type !== "text-delta");
    const next = events.next();
    await own.ragline.close();
    await next;
    const again = await openRagline({ ...config, session: { use: "sqlite", file: own.folder.file("ragline.db") } });
    expect((await turnsOf("said", again)).map(([, answer]) => answer)).toEqual(["네."]);
    await again.close();
    own.folder.remove();
  });

  test("`await using` closes", async () => {
    const own = await openRagline(config);
    {
      await using ragline = own.ragline;
      expect(await ragline.readSession("none")).toBeNull();
    }
    await expect(own.ragline.readSession("none")).rejects.toMatchObject({ code: "overloaded" });
    own.folder.remove();
  });
});

describe("calls of one name in one conversation", () => {
  const named = { requestId: "trace-1" };

  test("are a turn each, under that name", async () => {
    model.answer(streaming(wholeStream(["네."])));
    const sessionId = "named";
    const answers = [
      await opened.ragline.answer({ question: "첫째?", sessionId }, named),
      await opened.ragline.answer({ question: "둘째?", sessionId }, named),
    ];
    expect(answers.map(({ requestId }) => requestId)).toEqual(["trace-1", "trace-1"]);
    const turns = (await opened.ragline.readTurns(sessionId))?.turns;
    expect(turns).toMatchObject([
      { question: "첫째?", ...named },
      { question: "둘째?", ...named },
    ]);
    expect((await opened.ragline.readSession(sessionId))?.turns).toMatchObject([named, named]);
  });

  test("at once too, and one that was interrupted stays beside the one that was asked again", async () => {
    const own = await openRagline({ ...config, session: { use: "sqlite" } });
    const sessionId = "twice";
    const left = own.ragline.ask({ question: "하나?", sessionId }, named);
    await untilSaid(left);
    expect((await own.ragline.readSession(sessionId))?.pending).toMatchObject([named]);
    model.answer(streaming(wholeStream(["네."])));
    const both = ["둘?", "셋?"].map((question) => own.ragline.answer({ question, sessionId }, named));
    await Promise.all(both);
    await left.return();
    await until("all are stored", async () => (await turnsOf(sessionId, own)).length === 3);
    const turns = (await own.ragline.readTurns(sessionId))?.turns.map(({ question, answer }) => [question, answer]);
    expect(turns?.toSorted()).toEqual([
      ["둘?", "네."],
      ["셋?", "네."],
      ["하나?", SAID],
    ]);
    await own.close();
  });
});

test.each([
  ["options: must be an object", null],
  ["options: must be an object", "acme"],
  ["signal: must be an AbortSignal", { signal: {} }],
  ["requestId: expected string, received number", { requestId: 5 }],
  ["requestId: Too big: expected string to have <=128 characters", { requestId: "x".repeat(129) }],
  ["requestId: Too small: expected string to have >=1 characters", { requestId: "" }],
  ["tenant: expected string, received number", { tenant: 5 }],
  ["route: expected string, received number", { route: 5 }],
])("options that break a rule are refused by every method: %s", async (message, options) => {
  const refused = { name: "RaglineError", code: "request_invalid", message: expect.stringContaining(message) };
  const caller = options as object;
  const { ragline } = opened;
  await expect(ragline.answer({ question }, caller)).rejects.toMatchObject(refused);
  await expect(ragline.search({ query: question }, caller)).rejects.toMatchObject(refused);
  await expect(ragline.index([], caller)).rejects.toMatchObject(refused);
  await expect(ragline.reindex(caller)).rejects.toMatchObject(refused);
  await expect(ragline.warm(undefined, caller)).rejects.toMatchObject(refused);
  await expect(ragline.readSession("a", undefined, caller)).rejects.toMatchObject(refused);
  await expect(ragline.listDocuments({}, caller)).rejects.toMatchObject(refused);
  await expect(ragline.ready(caller)).rejects.toMatchObject(refused);
  expect(() => ragline.ask({ question }, caller)).toThrow(RaglineError);
});
