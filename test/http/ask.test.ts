import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { answerSchema, sessionSchema } from "../../src/http/responses.ts";
import { STEPS } from "../../src/types.ts";
import { eventsOf, expectError, postJson, textOf } from "../support/http.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";

let served: ServedRagline;
beforeAll(async () => {
  served = await serveRagline();
  await addPages(served.ragline);
});
afterAll(() => served.close());

const ask = (body: unknown, headers = {}) => postJson(`${served.url}/v1/ask`, body, headers);
const QUESTION = "연차 휴가는 며칠 받나요?";

describe("POST /v1/ask as server-sent events", () => {
  test("start, sources, text, end, in this order, and nothing after the end", async () => {
    const response = await ask({ question: QUESTION });
    expect(response.status).toBe(200);
    expect(response.headers.get("cache-control")).toContain("no-cache");
    expect(response.headers.get("x-accel-buffering")).toBe("no");
    const events = await eventsOf(response);
    const types = events.map(({ type }) => type);
    expect(types[0]).toBe("answer-start");
    expect(types[1]).toBe("source-list");
    expect(types.slice(2, -1).every((type) => type === "text-delta")).toBe(true);
    expect(types.at(-1)).toBe("answer-end");
    expect(textOf(events)).toContain("15일의 연차 휴가");
    expect(textOf(events)).toMatch(/\[\d\]/);
    const [start, list] = events;
    expect(start).toMatchObject({ requestId: response.headers.get("x-request-id") });
    expect(list).toMatchObject({ query: QUESTION });
    if (list?.type === "source-list") {
      expect(list.sources.map(({ n }) => n)).toEqual(list.sources.map((_, i) => i + 1));
      expect(list.sources[0]?.documentId).toBe("hr/휴가.md");
    }
  });

  test("the end's timings are by step, its ledger is there, nothing is degraded", async () => {
    const end = (await eventsOf(await ask({ question: "When must severance pay be paid?", cache: false }))).at(-1);
    if (end?.type !== "answer-end") throw new Error("no end");
    expect(Object.keys(end.timings).every((step) => (STEPS as readonly string[]).includes(step))).toBe(true);
    expect(Object.keys(end.timings)).toEqual(
      expect.arrayContaining(["session", "search", "prompt", "generate", "save"]),
    );
    expect(end.degraded).toEqual([]);
    expect(end.ledger?.total).toBeGreaterThan(0);
    expect(end.usage.promptTokens).toBe(end.ledger?.total);
    expect(end.firstTextMs).toBeLessThanOrEqual(end.totalMs);
  });

  test("Korean survives a request that arrives byte by byte and a response read as it comes", async () => {
    const body = Buffer.from(JSON.stringify({ question: QUESTION }));
    const socket = connect(served.port, "127.0.0.1");
    socket.setNoDelay(true);
    socket.write(
      `POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    for (const byte of body) {
      socket.write(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const received: Buffer[] = [];
    for await (const bytes of socket) received.push(bytes as Buffer);
    const text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(received));
    expect(text).toContain("15일의 연차 휴가");
    expect(text).toContain(QUESTION);
    expect(text).toContain("event: answer-end");
  });

  test("a failure after the start is the last event, with the step", async () => {
    const events = await eventsOf(await ask({ question: QUESTION, filter: { 없는분야: "x" } }));
    expect(events.map(({ type }) => type)).toEqual(["answer-start", "answer-error"]);
    expect(events[1]).toMatchObject({
      error: { code: "request_invalid", step: "search", message: expect.stringContaining("없는분야") },
    });
  });
});

describe("POST /v1/ask as JSON", () => {
  const json = (body: unknown) => ask(body, { accept: "application/json" });

  test("one object that fits its schema", async () => {
    const response = await json({ question: "How long must passwords be?", top: 2 });
    expect(response.headers.get("content-type")).toMatch(/^application\/json/);
    const answer = answerSchema.strict().parse(await response.json());
    expect(answer.text).toContain("14 characters");
    expect(answer.sources).toHaveLength(2);
    expect(answer.requestId).toBe(response.headers.get("x-request-id"));
  });

  test("the second time it comes from the cache, with the same text and sources", async () => {
    const first = answerSchema.parse(await (await json({ question: "When is severance pay paid?" })).json());
    const second = answerSchema.parse(await (await json({ question: "When is severance pay paid?" })).json());
    expect([first.cached, second.cached]).toEqual([false, true]);
    expect(second.text).toBe(first.text);
    expect(second.sources).toEqual(first.sources);
    const third = await json({ question: "When is severance pay paid?", cache: false });
    expect(answerSchema.parse(await third.json()).cached).toBe(false);
  });

  test("a failure is an error response", async () => {
    await expectError(await json({ question: QUESTION, filter: { nosuch: 1 } }), "request_invalid", /nosuch/);
  });

  test("a filter's fields and values are found however their Hangul is composed", async () => {
    const metadata = { 부서: "인사팀" };
    await served.ragline.addDocument({ id: "hr/팀.md", text: "인사팀의 휴가 담당은 김하나입니다.", metadata });
    for (const form of ["NFC", "NFD"]) {
      const filter = { $and: [{ ["부서".normalize(form)]: { $in: ["인사팀".normalize(form)] } }] };
      const answer = answerSchema.parse(await (await json({ question: "휴가 담당은?", filter })).json());
      expect(answer.sources.map(({ documentId }) => documentId)).toEqual(["hr/팀.md"]);
    }
    await served.ragline.deleteDocument("hr/팀.md");
  });

  test("a filter narrows the sources", async () => {
    const answer = answerSchema.parse(await (await json({ question: "휴가 security", filter: { year: 2023 } })).json());
    expect(answer.sources.map(({ documentId }) => documentId)).toEqual(["hr/severance.md"]);
  });
});

describe("sessions", () => {
  const sessionUrl = (id: string) => `${served.url}/v1/sessions/${id}`;

  test("a follow-up is searched with what was asked before; the conversation is read and deleted", async () => {
    const sessionId = "conversation-1";
    const first = await eventsOf(await ask({ question: "연차 휴가 규정을 알려 주세요", sessionId }));
    expect(first[0]).toMatchObject({ sessionId });
    const second = await eventsOf(await ask({ question: "그건 며칠이에요?", sessionId }));
    const [, list] = second;
    if (list?.type !== "source-list") throw new Error("no sources");
    expect(list.query).toContain("연차 휴가");
    expect(list.query).toContain("그건 며칠이에요?");
    expect(list.sources[0]?.documentId).toBe("hr/휴가.md");
    const end = second.at(-1);
    expect(end?.type === "answer-end" && end.ledger?.history).toBeGreaterThan(0);

    const session = sessionSchema.strict().parse(await (await fetch(sessionUrl(sessionId))).json());
    expect(session.turns.map(({ question }) => question)).toEqual(["연차 휴가 규정을 알려 주세요", "그건 며칠이에요?"]);
    expect(session.turns[1]).toMatchObject({ answer: textOf(second), status: "complete", query: list.query });
    expect(session).toMatchObject({ turnCount: 2, id: sessionId });

    const deleted = await fetch(sessionUrl(sessionId), { method: "DELETE" });
    expect(await deleted.json()).toEqual({ deleted: true });
    await expectError(await fetch(sessionUrl(sessionId)), "not_found", /conversation-1/);
    await expectError(await fetch(sessionUrl(sessionId), { method: "DELETE" }), "not_found");
  });

  test("a follow-up that wants neither rewriting nor reranking is searched as it is asked, on either route", async () => {
    const history = [
      { role: "user", content: "연차 휴가는 며칠인가요?" },
      { role: "assistant", content: "15일입니다." },
    ];
    const without = { rewrite: false, rerank: false, cache: false };
    const question = "그럼 병가는요?";
    const answer = async (fields: object) => {
      const response = await ask({ question, history, ...fields }, { accept: "application/json" });
      return answerSchema.parse(await response.json());
    };
    const plain = await answer(without);
    expect(plain.query).toBe(question);
    expect(plain.timings).not.toHaveProperty("rerank");
    const usual = await answer({ cache: false });
    expect(usual.query).not.toBe(question);
    expect(usual.timings).toHaveProperty("rerank");
    const messages = [...history, { role: "user", content: question }];
    const completion = await postJson(`${served.url}/v1/chat/completions`, { messages, ragline: without });
    expect(await completion.json()).toMatchObject({ ragline: { query: question } });
  });

  test("without a session id one is made up, and can be gone on with", async () => {
    const [start] = await eventsOf(await ask({ question: QUESTION }));
    if (start?.type !== "answer-start") throw new Error("no start");
    const session = sessionSchema.parse(await (await fetch(sessionUrl(start.sessionId ?? ""))).json());
    expect(session.turns).toHaveLength(1);
  });

  test("history that the client brings is used; no session is kept, and none named", async () => {
    const history = [
      { role: "user", content: "연차 휴가 규정을 알려 주세요" },
      { role: "assistant", content: "네." },
    ];
    const [start, list] = await eventsOf(await ask({ question: "그건 며칠이에요?", history }));
    expect(start).toMatchObject({ type: "answer-start", requestId: expect.any(String) });
    expect(start).not.toHaveProperty("sessionId");
    expect(list).toMatchObject({ query: expect.stringContaining("연차 휴가") });
    const whole = await ask({ question: QUESTION, history: [] }, { accept: "application/json" });
    expect(answerSchema.strict().parse(await whole.json())).not.toHaveProperty("sessionId");
  });

  test("history beside a session is refused: one of them would be left out", async () => {
    const asked = await ask({ question: QUESTION, history: [], sessionId: "both" });
    await expectError(asked, "request_invalid", /history: .*sessionId/);
  });

  test("the same id in another collection is another conversation", async () => {
    await (await ask({ question: QUESTION, sessionId: "here" })).text();
    await expectError(await fetch(`${sessionUrl("here")}?collection=elsewhere`), "not_found");
    expect((await fetch(sessionUrl("here"))).status).toBe(200);
  });
});
