import { afterAll, beforeAll, expect, test } from "vitest";
import { eventsOf, postJson } from "../support/http.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";
import { sampleOf, samplesOf } from "../support/scrape.ts";
import { stubModel } from "../support/stub-model.ts";
import type { StubServer } from "../support/stub-server.ts";

const KEYS = {
  web: "web-0123456789abcdef",
  late: "late-0123456789abcde",
  later: "later-0123456789abcd",
  gateway: "gateway-0123456789ab",
  operator: "operator-0123456789a",
} as const;
const QUESTION = "연차 휴가는 며칠인가요?";

let model: StubServer;
let served: ServedRagline;
beforeAll(async () => {
  model = await stubModel((_request, response) => void response.writeHead(500).end());
  served = await serveRagline({
    generate: { use: "openai", baseUrl: model.url, model: "down", retries: 0 },
    telemetry: { callersMax: 3 },
    server: {
      callers: [
        { name: "web", key: KEYS.web, requestsMax: 1 },
        { name: "late", key: KEYS.late },
        { name: "later", key: KEYS.later },
        { name: "gateway", key: KEYS.gateway, forOthers: true },
        { name: "operator", key: KEYS.operator, may: ["observe"] },
      ],
    },
  });
  await addPages(served.ragline);
});
afterAll(async () => {
  await served.close();
  await model.close();
});

const by = (key: string, more: Record<string, string> = {}) => ({ authorization: `Bearer ${key}`, ...more });
const ask = (headers: Record<string, string>) => postJson(`${served.url}/v1/ask`, { question: QUESTION }, headers);
const list = async (headers: Record<string, string> = {}) => {
  const response = await fetch(`${served.url}/v1/documents`, { headers });
  await response.text();
  return response.status;
};
const scrape = async () =>
  samplesOf(await (await fetch(`${served.url}/metrics`, { headers: by(KEYS.operator) })).text());
const counted = async (labels: object) =>
  sampleOf(await scrape(), "ragline_caller_requests_total", labels as Record<string, string>);

test("a caller's requests count by route and by the code of their error, those of no valid key as no caller's and no tenant's", async () => {
  // The operator has a name of its own from here on.
  await scrape();
  expect(await list(by(KEYS.web))).toBe(200);
  expect((await eventsOf(await ask(by(KEYS.web)))).at(-1)?.type).toBe("answer-error");
  expect((await fetch(`${served.url}/v1/status`, { headers: by(KEYS.web) })).status).toBe(403);
  expect([await list(), await list(by("nobody-0123456789ab"))]).toEqual([401, 401]);
  await expect.poll(() => counted({ caller: "web", route: "/v1/documents", code: "none" })).toBe(1);
  await expect.poll(() => counted({ caller: "web", route: "/v1/ask", code: "dependency_failed" })).toBe(1);
  await expect.poll(() => counted({ caller: "web", route: "/v1/status", code: "forbidden" })).toBe(1);
  await expect.poll(() => counted({ caller: "", route: "/v1/documents", code: "unauthorized" })).toBe(2);
  expect(await counted({ caller: "operator", route: "/metrics", code: "none" })).toBeGreaterThan(0);
  const requests = async (labels: object) =>
    sampleOf(await scrape(), "ragline_requests_total", { route: "/v1/documents", ...labels });
  expect(await requests({ tenant: "default", outcome: "ok" })).toBe(1);
  expect(await requests({ tenant: "default", outcome: "refused" })).toBe(0);
  expect(await requests({ tenant: "", outcome: "refused" })).toBe(2);
});

test("whom requestsMax refuses is seen, and who leaves", async () => {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  model.answer(async (_request, response) => {
    await released;
    response.writeHead(500).end();
  });
  const asked = model.requests.length;
  const leaving = new AbortController();
  const left = fetch(`${served.url}/v1/ask`, {
    method: "POST",
    headers: { "content-type": "application/json", ...by(KEYS.web) },
    body: JSON.stringify({ question: QUESTION }),
    signal: leaving.signal,
  });
  await expect.poll(() => model.requests.length).toBe(asked + 1);
  expect(await list(by(KEYS.web))).toBe(429);
  await expect.poll(() => counted({ caller: "web", code: "rate_limited" })).toBe(1);
  leaving.abort();
  await left.then((response) => response.text()).catch(() => undefined);
  await expect.poll(() => counted({ caller: "web", code: "cancelled" })).toBe(1);
  release();
});

test("a request of one that speaks for others and does not say for whom is its caller's, and no tenant's", async () => {
  const refused = async () =>
    sampleOf(await scrape(), "ragline_requests_total", { tenant: "", route: "/v1/search", outcome: "refused" });
  const before = await refused();
  await (await postJson(`${served.url}/v1/search`, { query: QUESTION }, by(KEYS.gateway))).text();
  await expect.poll(refused).toBe(before + 1);
  expect(await counted({ caller: "gateway", route: "/v1/search", code: "request_invalid" })).toBe(1);
});

test("no more callers than telemetry.callersMax have names, nor does a probe have one", async () => {
  for (const key of [KEYS.late, KEYS.later, KEYS.web]) expect(await list(by(key))).toBe(200);
  await fetch(`${served.url}/readyz`);
  const callersNamed = async () =>
    new Set(
      (await scrape()).filter(({ name }) => name.startsWith("ragline_caller_")).map(({ labels }) => labels.caller),
    );
  await expect.poll(callersNamed).toEqual(new Set(["operator", "web", "gateway", "other", ""]));
  expect(await counted({ route: "/readyz" })).toBe(0);
  expect(sampleOf(await scrape(), "ragline_requests_total", { tenant: "", route: "/readyz" })).toBe(1);
});

test("where nobody is asked for a key, requests are the configured tenant's and no caller's", async () => {
  const open = await serveRagline();
  await fetch(`${open.url}/v1/documents`);
  const read = async () => samplesOf(await (await fetch(`${open.url}/metrics`)).text());
  await expect
    .poll(async () => sampleOf(await read(), "ragline_requests_total", { tenant: "default", route: "/v1/documents" }))
    .toBe(1);
  expect((await read()).some(({ name }) => name.startsWith("ragline_caller_"))).toBe(false);
  await open.close();
});
