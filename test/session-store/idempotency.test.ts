import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { ConfigInput, WholeAnswer } from "../../src/index.ts";
import type { Session } from "../../src/types.ts";
import { sleep, until } from "../support/calls.ts";
import { eventsOf, postJson, textOf } from "../support/http.ts";
import { postgresMissing, startPostgres } from "../support/postgres.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";
import { redisMissing, startRedis } from "../support/redis.ts";
import { serveProcess } from "../support/served-process.ts";
import { chunk, streaming, stubModel, wholeStream } from "../support/stub-model.ts";
import type { StubServer } from "../support/stub-server.ts";

const accept = "application/json";
const question = "연차 휴가는 며칠인가요?";
const cut = streaming([chunk.role, chunk.text("연차는")], { afterwards: "cut" });
const hanging = streaming([chunk.role, chunk.text("연차는")], { afterwards: "hang" });
const saying = (...texts: string[]) => streaming(wholeStream(texts));

async function askAt(url: string, body: object, key?: string): Promise<WholeAnswer> {
  const headers = { accept, ...(key !== undefined && { "idempotency-key": key }) };
  const response = await postJson(`${url}/v1/ask`, body, headers);
  const answer = await response.json();
  if (!response.ok) throw Object.assign(new Error(`${response.status}`), answer);
  return answer as WholeAnswer;
}

async function sessionAt(url: string, id: string): Promise<Session> {
  return (await (await fetch(`${url}/v1/sessions/${id}`)).json()) as Session;
}

/** Reads a stream until some text has come, then hangs up: after `end`, if that is given. */
async function leaveAtText(url: string, body: object, key: string, end?: () => Promise<void>): Promise<void> {
  const response = await postJson(`${url}/v1/ask`, body, { "idempotency-key": key });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; !text.includes("text-delta"); ) text += (await reader?.read())?.value ?? "";
  await end?.();
  await reader?.cancel().catch(() => undefined);
}

/** What the model was asked last, in one piece. */
function lastPrompt(upstream: StubServer): string {
  return JSON.stringify(upstream.requests.at(-1)?.body);
}

interface Place {
  readonly session: object;
  close(): Promise<void>;
}

suite("sqlite", null, async () => ({ session: {}, close: async () => undefined }));
suite("redis", redisMissing, async () => {
  const server = await startRedis();
  return { session: { use: "redis", url: server.url }, close: () => server.close() };
});
suite("postgres", postgresMissing, async () => {
  const server = await startPostgres();
  return { session: { use: "postgres", url: server.url }, close: () => server.close() };
});

function suite(name: string, missing: string | null, place: () => Promise<Place>): void {
  const title = `asking again with the same idempotency key: ${name}${missing ? ` (${missing})` : ""}`;
  describe.skipIf(missing !== null)(title, () => again(place));
}

function again(place: () => Promise<Place>): void {
  let opened: Place;
  let upstream: StubServer;
  let served: ServedRagline;
  const ask = (body: object, key?: string) => askAt(served.url, body, key);
  const session = (id: string) => sessionAt(served.url, id);
  const configOf = (file: string): ConfigInput =>
    ({
      search: { file },
      session: { turns: 2, ...("use" in opened.session ? {} : { file }), ...opened.session },
      embed: { use: "hashing" },
      generate: { use: "openai", baseUrl: upstream.url, model: "m", retries: 0 },
      cache: { use: "none" },
      rewrite: { use: "rules" },
    }) as ConfigInput;
  const another = () => serveProcess(configOf(served.folder.file("ragline.db")));

  beforeAll(async () => {
    opened = await place();
    upstream = await stubModel();
    const { search: _, ...config } = configOf("");
    served = await serveRagline({ ...config, session: { turns: 2, ...opened.session } } as ConfigInput);
    await addPages(served.ragline);
  });
  afterAll(async () => {
    await served.close();
    await upstream.close();
    await opened.close();
  });

  test("a complete turn is sent again as it is stored, and no model is asked", async () => {
    upstream.answer(streaming([chunk.role, chunk.text("15일입니다 [1]."), chunk.finish("length"), chunk.done]));
    const key = randomUUID();
    const first = await ask({ question }, key);
    const asked = upstream.requests.length;
    const again = await ask({ question, cache: false }, key);
    expect(upstream.requests).toHaveLength(asked);
    const { sessionId = "", text, query } = first;
    expect(again).toMatchObject({
      sessionId,
      text,
      query,
      finishReason: "length",
      cached: true,
      calls: {},
      ledger: null,
    });
    expect(again.usage).toEqual({ promptTokens: 0, completionTokens: 0 });
    expect(again.requestId).not.toBe(first.requestId);
    const [cited] = first.sources;
    const { n, passageId, documentId, title } = cited ?? {};
    expect(again.sources).toEqual([{ n, passageId, documentId, title }]);
    expect(await session(sessionId)).toMatchObject({ turnCount: 1, pending: [], turns: [{ answer: text }] });
    const headers = { "idempotency-key": key };
    const events = await eventsOf(await postJson(`${served.url}/v1/ask`, { question, sessionId }, headers));
    expect(textOf(events)).toBe(text);
    expect(events.at(-1)).toMatchObject({ type: "answer-end", cached: true });
    expect(await session(sessionId)).toMatchObject({ turnCount: 1 });
  });

  test("a turn that failed is answered under its number, without itself in sight", async () => {
    const key = randomUUID();
    upstream.answer(cut);
    await expect(ask({ question }, key)).rejects.toMatchObject({ error: { code: "dependency_failed" } });
    upstream.answer(saying("15일입니다 [1]."));
    const { sessionId = "", text, cached, query } = await ask({ question }, key);
    expect({ text, cached, query }).toEqual({ text: "15일입니다 [1].", cached: false, query: question });
    expect(lastPrompt(upstream).split(question)).toHaveLength(2);
    expect(lastPrompt(upstream)).not.toContain("연차는");
    expect(await session(sessionId)).toMatchObject({ turnCount: 1, turns: [{ number: 1, status: "complete" }] });
  });

  test("so it is with a question in between, which stays where it is", async () => {
    const [key, sessionId] = [randomUUID(), randomUUID()];
    upstream.answer(cut);
    await expect(ask({ question, sessionId }, key)).rejects.toThrow();
    upstream.answer(saying("14자입니다."));
    await ask({ question: "비밀번호는 몇 자인가요?", sessionId }, randomUUID());
    upstream.answer(saying("15일입니다 [1]."));
    await ask({ question, sessionId }, key);
    expect(lastPrompt(upstream)).toContain("비밀번호는 몇 자인가요?");
    expect(lastPrompt(upstream)).not.toContain("연차는");
    const { turns, turnCount } = await session(sessionId);
    expect(turnCount).toBe(2);
    expect(turns).toMatchObject([
      { number: 1, question, answer: "15일입니다 [1].", status: "complete" },
      { number: 2, answer: "14자입니다.", status: "complete" },
    ]);
  });

  test("a client that hung up in the middle may ask again at once", async () => {
    const [key, sessionId] = [randomUUID(), randomUUID()];
    upstream.answer(hanging);
    await leaveAtText(served.url, { question, sessionId }, key);
    upstream.answer(saying("15일입니다 [1]."));
    expect(await ask({ question, sessionId }, key)).toMatchObject({ text: "15일입니다 [1].", cached: false });
    expect(lastPrompt(upstream).split(question)).toHaveLength(2);
    await sleep(100);
    expect(await session(sessionId)).toMatchObject({
      turnCount: 1,
      turns: [{ number: 1, status: "complete", answer: "15일입니다 [1]." }],
      pending: [],
    });
  });

  test("a retry that fails too leaves the turn as it is; a third completes it", async () => {
    const [key, sessionId] = [randomUUID(), randomUUID()];
    upstream.answer(cut);
    for (let i = 0; i < 2; i++) await expect(ask({ question, sessionId }, key)).rejects.toThrow();
    expect(await session(sessionId)).toMatchObject({ turnCount: 1, turns: [{ status: "failed", answer: "연차는" }] });
    upstream.answer(saying("15일입니다."));
    await ask({ question, sessionId }, key);
    expect(await session(sessionId)).toMatchObject({ turnCount: 1, turns: [{ status: "complete" }], pending: [] });
  });

  test("another question with the key of a turn, complete or not, is a conflict that names it", async () => {
    const conflict = { code: "conflict", retryable: false, message: expect.stringMatching(/idempotency-key/) };
    for (const handler of [saying("15일입니다."), cut]) {
      const [key, sessionId] = [randomUUID(), randomUUID()];
      upstream.answer(handler);
      await ask({ question, sessionId }, key).catch(() => undefined);
      const before = await session(sessionId);
      await expect(ask({ question: "병가는 며칠인가요?", sessionId }, key)).rejects.toMatchObject({ error: conflict });
      await sleep(50);
      expect(await session(sessionId)).toEqual(before);
    }
  });

  test("two at once: both are answered, and there is one turn", async () => {
    upstream.answer(streaming(wholeStream(["15일", "입니다."]), { gapMs: 40 }));
    const key = randomUUID();
    const [a, b] = await Promise.all([ask({ question }, key), ask({ question }, key)]);
    expect([a.text, b.text]).toEqual(["15일입니다.", "15일입니다."]);
    expect(a.sessionId).toBe(b.sessionId);
    const { turns, turnCount, pending } = await session(a.sessionId ?? "");
    expect({ turnCount, pending }).toEqual({ turnCount: 1, pending: [] });
    expect(turns).toMatchObject([{ number: 1, status: "complete", answer: "15일입니다." }]);
  });

  test("after more turns than are loaded it is answered anew, and is no second turn", async () => {
    const [key, sessionId] = [randomUUID(), randomUUID()];
    upstream.answer(saying("처음 답입니다."));
    await ask({ question, sessionId }, key);
    upstream.answer(saying("다른 답입니다."));
    for (let i = 0; i < 6; i++) await ask({ question: `휴가 규정 ${i}번은 무엇인가요?`, sessionId });
    await until("the conversation is shortened", async () => (await session(sessionId)).summarizedTurns > 0);
    expect(await ask({ question, sessionId }, key)).toMatchObject({ text: "다른 답입니다.", cached: false });
    expect(await session(sessionId)).toMatchObject({ turnCount: 7, pending: [] });
    const page = await fetch(`${served.url}/v1/sessions/${sessionId}/turns?limit=1`);
    expect(await page.json()).toMatchObject({ turns: [{ number: 1, answer: "처음 답입니다." }] });
  });

  test("a process that was killed in the middle: another answers while the lease still runs", async () => {
    upstream.answer(hanging);
    const dying = await another();
    const [key, sessionId] = [randomUUID(), randomUUID()];
    await leaveAtText(dying.url, { question, sessionId }, key, () => dying.kill());
    expect(await session(sessionId)).toMatchObject({ turnCount: 0, pending: [{ status: "pending" }] });
    upstream.answer(saying("15일입니다."));
    expect(await ask({ question, sessionId }, key)).toMatchObject({ text: "15일입니다.", cached: false });
    expect(lastPrompt(upstream).split(question)).toHaveLength(2);
    const turns = [{ number: 1, status: "complete" }];
    expect(await session(sessionId)).toMatchObject({ turnCount: 1, turns, pending: [] });
  });

  test("two processes at once: both answer, and there is one turn", async () => {
    upstream.answer(streaming(wholeStream(["15일", "입니다."]), { gapMs: 60 }));
    const other = await another();
    onTestFinished(() => other.kill());
    const key = randomUUID();
    const [a, b] = await Promise.all([ask({ question }, key), askAt(other.url, { question }, key)]);
    expect([a.text, b.text]).toEqual(["15일입니다.", "15일입니다."]);
    expect(a.sessionId).toBe(b.sessionId);
    expect(await session(a.sessionId ?? "")).toMatchObject({ turnCount: 1, pending: [] });
    expect(await askAt(other.url, { question }, key)).toMatchObject({ text: a.text, cached: true });
  });
}
