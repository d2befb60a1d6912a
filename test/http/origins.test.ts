import OpenAI from "openai";
import { expect, onTestFinished, test } from "vitest";
import { parseConfig } from "../../src/config.ts";
import { eventsOf, expectError, postJson, textOf } from "../support/http.ts";
import { addPages, serveRagline } from "../support/ragline.ts";

const PAGE = "http://localhost:5173";
const OTHER = "https://elsewhere.example";
const KEY = "browser-0123456789";
const PREFLIGHT = {
  "access-control-request-method": "POST",
  "access-control-request-headers": "authorization,content-type,idempotency-key",
};

async function served(callers: boolean) {
  const server = { origins: [PAGE], ...(callers && { callers: [{ name: "page", key: KEY }] }) };
  const opened = await serveRagline({ server });
  onTestFinished(() => opened.close());
  await addPages(opened.ragline);
  return opened.url;
}
const preflight = (url: string, origin: string) =>
  fetch(`${url}/v1/ask`, { method: "OPTIONS", headers: { origin, ...PREFLIGHT } });

test.each([false, true])("a page of the origin asks, streams and reads refusals; with callers: %s", async (callers) => {
  const url = await served(callers);
  const before = await preflight(url, PAGE);
  expect(before.status).toBe(204);
  expect(before.headers.get("access-control-allow-origin")).toBe(PAGE);
  expect(before.headers.get("access-control-allow-methods")).toBe("GET, POST, PUT, DELETE");
  const allowed = before.headers.get("access-control-allow-headers")?.split(/, ?/);
  expect(allowed).toEqual(expect.arrayContaining(PREFLIGHT["access-control-request-headers"].split(",")));
  const headers = { origin: PAGE, ...(callers && { authorization: `Bearer ${KEY}` }) };
  const answer = await postJson(`${url}/v1/ask`, { question: "연차 휴가는 며칠인가요?" }, headers);
  expect(answer.headers.get("access-control-allow-origin")).toBe(PAGE);
  expect(answer.headers.get("access-control-expose-headers")).toContain("x-request-id");
  expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
  expect(answer.headers.get("vary")).toMatch(/origin/i);
  expect(textOf(await eventsOf(answer))).toContain("15일");
  const wrong = await postJson(`${url}/v1/ask`, { question: "" }, headers);
  expect(wrong.headers.get("access-control-allow-origin")).toBe(PAGE);
  await expectError(wrong, "request_invalid");
  const lost = await fetch(`${url}/nowhere`, { headers });
  expect(lost.headers.get("access-control-allow-origin")).toBe(PAGE);
  if (!callers) return;
  const refused = await postJson(`${url}/v1/ask`, { question: "휴가?" }, { origin: PAGE });
  expect(refused.headers.get("access-control-allow-origin")).toBe(PAGE);
  await expectError(refused, "unauthorized");
});

test("OpenAI's own client may send from a page all that it sends", async () => {
  const url = await served(false);
  let asked: string[] = [];
  const client = new OpenAI({
    baseURL: `${url}/v1`,
    apiKey: "unused",
    fetch: (input, init) => {
      asked = [...new Headers(init?.headers).keys()];
      return fetch(input, init);
    },
  });
  await client.models.list();
  expect(asked).toContain("x-stainless-lang");
  const headers = { ...PREFLIGHT, origin: PAGE, "access-control-request-headers": asked.join(",") };
  const before = await fetch(`${url}/v1/chat/completions`, { method: "OPTIONS", headers });
  expect(before.headers.get("access-control-allow-headers")?.split(/, ?/)).toEqual(asked);
});

test("a page of any other origin is given no leave, and without `server.origins` none is", async () => {
  const url = await served(false);
  for (const origin of [OTHER, `${PAGE}.elsewhere.example`, "http://localhost:51733", "null"]) {
    expect((await preflight(url, origin)).headers.get("access-control-allow-origin")).toBeNull();
    const answer = await postJson(`${url}/v1/search`, { query: "휴가" }, { origin });
    expect(answer.headers.get("access-control-allow-origin")).toBeNull();
  }
  const closed = await serveRagline();
  onTestFinished(() => closed.close());
  const answer = await preflight(closed.url, PAGE);
  expect(answer.status).toBe(404);
  expect(answer.headers.get("access-control-allow-origin")).toBeNull();
});

test.each([
  "*",
  "localhost:5173",
  `${PAGE}/`,
  `${PAGE}/app`,
  "HTTP://localhost",
  "ftp://localhost",
  "http://u:p@localhost",
])("%s is no origin", (origin) => {
  expect(() => parseConfig({ server: { origins: [origin] } }, {})).toThrow(/server\.origins\.0: must be/);
});
