import { request } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { ConfigInput } from "../../src/index.ts";
import { sleep, until } from "../support/calls.ts";
import { addPages, type ServedRagline, serveRagline, warnings } from "../support/ragline.ts";
import { beginStream, chunk, streaming, stubModel } from "../support/stub-model.ts";
import type { StubServer } from "../support/stub-server.ts";

let upstream: StubServer;
let served: ServedRagline;
let abandoned = 0;
beforeAll(async () => {
  upstream = await stubModel();
  served = await serveRagline({
    generate: { use: "openai", baseUrl: upstream.url, model: "m", retries: 0, contextTokensMax: 1_000_000 },
    cache: { use: "none" },
    prompt: { expectedOutputTokens: 400_000 },
    server: { stallTimeoutMs: 300 },
  } as ConfigInput);
  await addPages(served.ragline);
});
beforeEach(() => {
  abandoned = upstream.abandonedAt.length;
});
afterAll(async () => {
  await served.close();
  await upstream.close();
});

/** A client that hangs up when `enough` of the response has come, or at `leave`. */
function leavingClient(path: string, body: object, enough: (text: string) => boolean, accept = "*/*") {
  const headers = { "content-type": "application/json", accept };
  const sent = request({ port: served.port, path, method: "POST", headers });
  let leftAt = Number.POSITIVE_INFINITY;
  const leave = () => {
    leftAt = performance.now();
    sent.destroy();
  };
  sent.on("error", () => undefined);
  sent.on("response", (response) => {
    let text = "";
    response.on("error", () => undefined);
    response.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
      if (leftAt === Number.POSITIVE_INFINITY && enough(text)) leave();
    });
  });
  sent.end(JSON.stringify(body));
  return { leave, leftAt: () => leftAt };
}

/** A client that never reads on. */
function pausedClient(body: object) {
  const headers = { "content-type": "application/json" };
  const sent = request({ port: served.port, path: "/v1/ask", method: "POST", headers });
  sent.on("error", () => undefined);
  sent.on("response", (response) => response.pause().on("error", () => undefined));
  sent.end(JSON.stringify(body));
  return sent;
}

async function expectTornDown(leftAt: () => number): Promise<void> {
  await until("the upstream's socket closes", () => upstream.abandonedAt.length > abandoned);
  expect((upstream.abandonedAt.at(-1) ?? Number.POSITIVE_INFINITY) - leftAt()).toBeLessThan(100);
}

async function storedTurn(sessionId: string) {
  await until("the turn is stored", async () => (await served.ragline.readSession(sessionId))?.turnCount === 1);
  const session = await served.ragline.readSession(sessionId);
  expect(session?.turnCount).toBe(1);
  return session?.turns[0];
}

const question = "연차 휴가는 며칠인가요?";
const hanging = streaming([chunk.role, chunk.text("연차는"), chunk.text(" 15일")], { afterwards: "hang" });

describe("a client that hangs up", () => {
  test("in mid-stream: the model is stopped within 100 ms, and the turn is kept as far as it went", async () => {
    upstream.answer(hanging);
    const client = leavingClient("/v1/ask", { question, sessionId: "left" }, (text) => text.includes(' 15일"'));
    await expectTornDown(client.leftAt);
    expect(await storedTurn("left")).toMatchObject({ status: "interrupted", answer: "연차는 15일", question });
  });

  test("while tokens flow", async () => {
    upstream.answer(
      streaming(
        Array.from({ length: 500 }, (_, i) => chunk.text(` 낱말${i}`)),
        { gapMs: 3 },
      ),
    );
    const client = leavingClient("/v1/ask", { question, sessionId: "flow" }, (text) => text.includes("낱말20"));
    await expectTornDown(client.leftAt);
    const turn = await storedTurn("flow");
    expect(turn?.status).toBe("interrupted");
    expect(turn?.answer).toContain("낱말20");
    expect(turn?.answer).not.toContain("낱말300");
  });

  test("whose conversation was deleted meanwhile: its turn is lost, of which the log has one line, and no fault", async () => {
    const { log, lines } = warnings();
    const other = await serveRagline(
      { generate: { use: "openai", baseUrl: upstream.url, model: "m", contextTokensMax: 8192 } },
      log,
    );
    onTestFinished(() => other.close());
    await addPages(other.ragline);
    upstream.answer(hanging);
    const abort = new AbortController();
    const answer = fetch(`${other.url}/v1/ask`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ question, sessionId: "deleted" }),
      signal: abort.signal,
    });
    await (await answer).body?.getReader().read();
    expect((await fetch(`${other.url}/v1/sessions/deleted`, { method: "DELETE" })).status).toBe(200);
    abort.abort();
    await until("the turn is lost", () => lines.length > 0);
    await sleep(100);
    expect(lines).toEqual([
      expect.objectContaining({ level: 40, code: "not_found", msg: expect.stringContaining("a turn is lost") }),
    ]);
  });

  test("before the first token", async () => {
    const asked = upstream.requests.length;
    upstream.answer((_request, response) => beginStream(response));
    const client = leavingClient("/v1/ask", { question, sessionId: "early" }, () => false);
    await until("the model is asked", () => upstream.requests.length > asked);
    client.leave();
    await expectTornDown(client.leftAt);
    expect(await storedTurn("early")).toMatchObject({ status: "interrupted", answer: "" });
  });

  test("who waits for JSON", async () => {
    const asked = upstream.requests.length;
    upstream.answer(hanging);
    const body = { question, sessionId: "json" };
    const client = leavingClient("/v1/ask", body, () => false, "application/json");
    await until("the model is asked", () => upstream.requests.length > asked);
    // On a busy event loop texts are taken 20 times a second.
    await sleep(200);
    client.leave();
    await expectTornDown(client.leftAt);
    expect(await storedTurn("json")).toMatchObject({ status: "interrupted", answer: "연차는 15일" });
  });

  test("of the OpenAI route", async () => {
    upstream.answer(hanging);
    const body = { messages: [{ role: "user", content: question }], stream: true, ragline: { sessionId: "chat" } };
    const client = leavingClient("/v1/chat/completions", body, (text) => text.includes('"content":" 15일"'));
    await expectTornDown(client.leftAt);
    expect(await storedTurn("chat")).toMatchObject({ status: "interrupted", answer: "연차는 15일" });
  });

  test("or reads nothing: it is given up after its time, and the model with it", async () => {
    const flood = Array.from({ length: 400 }, () => chunk.text("가".repeat(20_000)));
    upstream.answer(streaming(flood));
    const sent = pausedClient({ question: "휴가?", sessionId: "paused" });
    await until("the upstream's socket closes", () => upstream.abandonedAt.length > abandoned);
    expect((await storedTurn("paused"))?.status).toBe("interrupted");
    sent.destroy();
  });

  test("twenty at once: every model call ends, every turn is kept", async () => {
    upstream.answer(hanging);
    for (let i = 0; i < 20; i++) {
      leavingClient("/v1/ask", { question, sessionId: `many-${i}` }, (text) => text.includes(' 15일"'));
    }
    await until("all are torn down", () => upstream.abandonedAt.length >= abandoned + 20);
    for (let i = 0; i < 20; i++) expect((await storedTurn(`many-${i}`))?.status).toBe("interrupted");
  });

  test("the server goes on answering", async () => {
    expect((await fetch(`${served.url}/healthz`)).status).toBe(200);
  });
});
