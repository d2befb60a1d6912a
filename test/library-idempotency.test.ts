import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { until } from "./support/calls.ts";
import { addPages, type OpenedRagline, openRagline } from "./support/ragline.ts";
import { redisMissing, startRedis } from "./support/redis.ts";
import { sqliteTakesWrites } from "./support/sessions.ts";
import { streaming, stubModel, wholeStream } from "./support/stub-model.ts";

const question = "연차 휴가는 며칠인가요?";
let opened: OpenedRagline;
beforeAll(async () => {
  opened = await openRagline({ cache: { use: "none" } });
  await addPages(opened.ragline);
});
afterAll(() => opened.close());

describe("idempotencyKey", () => {
  test("makes the conversation's id, and one turn of many calls, whatever they are named", async () => {
    const { ragline } = opened;
    const idempotencyKey = randomUUID();
    const answers = [];
    for (const requestId of ["a", "b"]) answers.push(await ragline.answer({ question }, { idempotencyKey, requestId }));
    const [first, again] = answers;
    expect(first?.sessionId).not.toContain(idempotencyKey);
    expect(again).toMatchObject({ sessionId: first?.sessionId, text: first?.text, cached: true, requestId: "b" });
    const page = await ragline.readTurns(first?.sessionId ?? "");
    expect(page?.turns).toMatchObject([{ number: 1, requestId: expect.stringMatching(/^idempotency:/) }]);
  });

  test("goes on in that conversation: further turns have keys of their own", async () => {
    const { ragline } = opened;
    const [first, next] = [randomUUID(), randomUUID()];
    const { sessionId = "" } = await ragline.answer({ question }, { idempotencyKey: first });
    for (let i = 0; i < 2; i++) {
      await ragline.answer({ question: "병가는?", sessionId }, { idempotencyKey: next });
      expect(await ragline.answer({ question }, { idempotencyKey: first })).toMatchObject({ sessionId, cached: true });
    }
    expect((await ragline.readSession(sessionId))?.turnCount).toBe(2);
  });

  test("of another tenant, collection or conversation it is another turn", async () => {
    const { ragline } = opened;
    const idempotencyKey = randomUUID();
    const own = await ragline.answer({ question }, { idempotencyKey });
    const other = { question: "병가는 며칠까지 쓸 수 있나요?" };
    const others = [
      await ragline.answer(other, { idempotencyKey, tenant: "other" }),
      await ragline.answer({ ...other, collection: "other" }, { idempotencyKey }),
      await ragline.answer({ ...other, sessionId: "another" }, { idempotencyKey }),
    ];
    for (const { cached, text } of others) expect(cached && text === own.text).toBe(false);
    expect((await ragline.readSession(own.sessionId ?? ""))?.turnCount).toBe(1);
    expect((await ragline.readSession("another"))?.turnCount).toBe(1);
  });

  test("of other groups it makes another conversation; in one conversation it is the same turn, for whoever has the groups", async () => {
    const { ragline } = opened;
    const idempotencyKey = randomUUID();
    const [some, none] = [{ idempotencyKey, groups: ["hr", "it"] }, { idempotencyKey }];
    const { sessionId = "", text } = await ragline.answer({ question }, some);
    expect(await ragline.answer({ question }, { idempotencyKey, groups: ["it", "hr", "it"] })).toMatchObject({
      sessionId,
    });
    const other = await ragline.answer({ question }, none);
    expect(other.cached).toBe(false);
    expect(other.sessionId).not.toBe(sessionId);
    const more = { idempotencyKey, groups: ["it", "ceo", "hr"] };
    expect(await ragline.answer({ question, sessionId }, more)).toMatchObject({ text, cached: true });
    await expect(ragline.answer({ question, sessionId }, none)).rejects.toMatchObject({ code: "forbidden" });
  });

  test("of a conversation that was deleted it begins another", async () => {
    const { ragline } = opened;
    const idempotencyKey = randomUUID();
    const { sessionId = "" } = await ragline.answer({ question }, { idempotencyKey });
    await ragline.deleteSession(sessionId);
    const anew = await ragline.answer({ question: "병가는?" }, { idempotencyKey });
    expect(anew).toMatchObject({ sessionId, cached: false });
    expect((await ragline.readSession(sessionId))?.turnCount).toBe(1);
  });

  test("beside a history that the caller keeps has no effect", async () => {
    const { ragline } = opened;
    const idempotencyKey = randomUUID();
    for (const asked of [question, "병가는 며칠까지 쓸 수 있나요?"]) {
      const answer = await ragline.answer({ question: asked, history: [] }, { idempotencyKey });
      expect(answer).toMatchObject({ cached: false });
      expect(answer).not.toHaveProperty("sessionId");
    }
  });

  test("is 1 to 128 printable ASCII characters", () => {
    const refused = {
      code: "request_invalid",
      message: expect.stringMatching(/^idempotencyKey: .*1 to 128 printable ASCII/),
    };
    for (const idempotencyKey of ["", "k".repeat(129), "키", "a\nb", "a\n"])
      expect(() => opened.ragline.ask({ question }, { idempotencyKey })).toThrow(expect.objectContaining(refused));
    expect(() => opened.ragline.ask({ question }, { idempotencyKey: " ~".repeat(64) })).not.toThrow();
  });
});

test("a turn that could not be stored, asked again before and after it can: one turn, the first answer", async () => {
  const { ragline, folder, close } = await openRagline({ cache: { use: "none" } });
  onTestFinished(close);
  await addPages(ragline);
  const file = folder.file("ragline.db");
  await ragline.answer({ question, sessionId: "full" });
  const options = { idempotencyKey: randomUUID() };
  const asked = { question: "병가는 며칠까지 쓸 수 있나요?", sessionId: "full" };
  await sqliteTakesWrites(file, false);
  for (let i = 0; i < 2; i++) {
    const { degraded, cached } = await ragline.answer(asked, options);
    expect({ cached, steps: degraded.map(({ step }) => step) }).toEqual({ cached: false, steps: ["save", "save"] });
  }
  await sqliteTakesWrites(file, true);
  await until("both are stored", async () => (await ragline.status()).saves.waiting === 0);
  expect(await ragline.answer(asked, options)).toMatchObject({ cached: true });
  expect(await ragline.readSession("full")).toMatchObject({ turnCount: 2, pending: [] });
});

test.skipIf(redisMissing !== null)(
  "a question that Redis did not answer, asked again once it is back: one turn",
  async () => {
    const server = await startRedis();
    onTestFinished(() => server.close());
    const { ragline, close } = await openRagline({
      session: { use: "redis", url: server.url },
      cache: { use: "none" },
    });
    onTestFinished(close);
    await addPages(ragline);
    const asked = { question, sessionId: "back" };
    const options = { idempotencyKey: randomUUID() };
    await ragline.answer({ question: "병가는?", sessionId: "back" });
    await server.kill();
    await expect(ragline.answer(asked, options)).rejects.toMatchObject({ step: "session" });
    await server.restart();
    await until("it is back", async () => (await ragline.ready()).ready);
    const { text } = await ragline.answer(asked, options);
    await until(
      "nothing is left of the refused call",
      async () => (await ragline.readSession("back"))?.pending.length === 0,
    );
    expect(await ragline.readSession("back")).toMatchObject({
      turnCount: 2,
      turns: [{}, { status: "complete", answer: text }],
    });
  },
);

test.for(["sqlite", "redis"] as const)(
  "%s: an answer that saw what was deleted since is no turn of the conversation that asking again has begun",
  async (use, { skip }) => {
    if (use === "redis" && redisMissing !== null) skip(redisMissing);
    const model = await stubModel();
    onTestFinished(() => model.close());
    const generate = { use: "openai", baseUrl: model.url, model: "m", retries: 0 } as const;
    const redis = use === "redis" ? await startRedis() : null;
    onTestFinished(() => redis?.close());
    const session = redis ? { use: "redis" as const, url: redis.url } : {};
    const { ragline, close } = await openRagline({
      session,
      cache: { use: "none" },
      rewrite: { use: "rules" },
      generate,
    });
    onTestFinished(close);
    await addPages(ragline);
    const [asked, caller] = [{ question, sessionId: "deleted" }, { idempotencyKey: randomUUID() }];
    await ragline.answer({ ...asked, question: "병가는 며칠까지 쓸 수 있나요?" });
    const ends: (() => void)[] = [];
    model.answer(async (...of) => {
      const number = ends.length + 1;
      await new Promise<void>((resolve) => ends.push(resolve));
      await streaming(wholeStream([`답 ${number} [1].`]))(...of);
    });
    const first = ragline.answer(asked, caller);
    await until("the model is asked", () => ends.length === 1);
    expect(await ragline.deleteSession("deleted")).toBe(true);
    const again = ragline.answer(asked, caller);
    await until("the model is asked", () => ends.length === 2);
    ends[0]?.();
    expect((await first).degraded).toMatchObject([{ step: "save", reason: "not_found" }]);
    ends[1]?.();
    expect((await again).degraded).toEqual([]);
    expect((await ragline.readTurns("deleted"))?.turns).toMatchObject([{ answer: "답 2 [1].", status: "complete" }]);
  },
);
