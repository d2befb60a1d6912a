import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ConfigInput } from "../../src/index.ts";
import { sleep } from "../support/calls.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";
import { beginStream, chunk, stubModel, wholeStream } from "../support/stub-model.ts";
import type { StubServer } from "../support/stub-server.ts";

const HEARTBEAT = ":\n\n";
let upstream: StubServer;
let served: ServedRagline;
beforeAll(async () => {
  upstream = await stubModel();
  served = await serveRagline({
    generate: { use: "openai", baseUrl: upstream.url, model: "m", retries: 0 },
    cache: { use: "none" },
    server: { heartbeatMs: 300 },
  } as ConfigInput);
  await addPages(served.ragline);
});
afterAll(async () => {
  await served.close();
  await upstream.close();
});

/** Thinks before its first token and after it, then writes the rest. */
function thinking(ms: number) {
  upstream.answer(async (_request, response) => {
    beginStream(response);
    for (const [i, piece] of wholeStream(["네, ", "15일", "입니다 [1]."]).entries()) {
      if (i === 1 || i === 2) await sleep(ms);
      response.write(piece);
    }
    response.end();
  });
}

async function textOf(path: string, body: object): Promise<string> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${served.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  return response.text();
}

const question = "연차 휴가는 며칠인가요?";

test("a stream is not silent while its model thinks, before the first token and in between", async () => {
  thinking(1000);
  const text = await textOf("/v1/ask", { question });
  const [before = "", between = ""] = text.split("event: text-delta");
  const beats = [before, between].map((part) => part.split(HEARTBEAT).length - 1);
  // One every 150 to 300 ms; machines are late.
  for (const count of beats) expect(count).toBeGreaterThanOrEqual(2);
  for (const count of beats) expect(count).toBeLessThanOrEqual(6);
  expect(text.startsWith("event: answer-start")).toBe(true);
  const blocks = text.split("\n\n").filter((block) => block !== "" && block !== ":");
  expect(blocks.at(-1)).toMatch(/^event: answer-end\ndata: \{/);
  for (const block of blocks) expect(block).toMatch(/^event: [a-z-]+\ndata: \{.*\}$/);
});

test("an answer of OpenAI's shape neither, and the official client reads it", async () => {
  const messages = [{ role: "user" as const, content: question }];
  const body = { model: "any", stream: true as const, messages };
  thinking(700);
  const text = await textOf("/v1/chat/completions", body);
  expect(text).toContain(HEARTBEAT);
  expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  const client = new OpenAI({ baseURL: `${served.url}/v1`, apiKey: "unused", maxRetries: 0 });
  let answer = "";
  for await (const { choices } of await client.chat.completions.create(body)) answer += choices[0]?.delta.content ?? "";
  expect(answer).toBe("네, 15일입니다 [1].");
});

// Where the machine stands still for so long there is one.
test("one whose tokens come has none", { retry: 2 }, async () => {
  upstream.answer(async (_request, response) => {
    beginStream(response);
    response.write(chunk.role);
    for (let i = 0; i < 40; i++) {
      response.write(chunk.text(`말 ${i} `));
      await sleep(20);
    }
    for (const piece of [chunk.finish("stop"), chunk.usage(1, 40), chunk.done]) response.write(piece);
    response.end();
  });
  expect(await textOf("/v1/ask", { question })).not.toContain(`\n\n${HEARTBEAT}`);
});
