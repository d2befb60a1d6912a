import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BoundedLabels } from "../../src/telemetry/bounded-labels.ts";
import { createProcessMetrics } from "../../src/telemetry/process.ts";
import { until } from "../support/calls.ts";
import { postJson } from "../support/http.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";
import { type Sample, sampleOf, samplesOf, scrape } from "../support/scrape.ts";
import { chunk, streaming } from "../support/stub-model.ts";
import { type StubServer, stubServer } from "../support/stub-server.ts";

let served: ServedRagline;

beforeAll(async () => {
  served = await serveRagline({ telemetry: { metrics: true, tenantsMax: 2 } });
  await addPages(served.ragline);
});
afterAll(() => served.close());

const ask = async (body: object) => (await postJson(`${served.url}/v1/ask`, body)).text();

describe("GET /metrics", () => {
  it("is Prometheus' text, with the process's own metrics", async () => {
    const response = await fetch(`${served.url}/metrics`);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    const samples = samplesOf(await response.text());
    expect(sampleOf(samples, "process_cpu_seconds_total")).toBeGreaterThan(0);
    expect(sampleOf(samples, "ragline_event_loop_active_seconds_total")).toBeGreaterThan(0);
    expect(
      samples.filter(({ name }) => name === "ragline_event_loop_delay_seconds").map(({ labels }) => labels),
    ).toEqual(["0.5", "0.9", "0.99", "1"].map((quantile) => ({ quantile })));
  });

  it("counts answers by step, cache and outcome", async () => {
    const before = await scrape(served.url);
    await ask({ question: "연차 휴가는 며칠인가요?", cache: false });
    await ask({ question: "연차 휴가는 며칠인가요?" });
    await until("the answer is cached", async () =>
      (await ask({ question: "연차 휴가는 며칠인가요?" })).includes('"cached":true'),
    );
    const after = await scrape(served.url);
    const gained = (name: string, labels = {}) => sampleOf(after, name, labels) - sampleOf(before, name, labels);
    const answers = gained("ragline_requests_total", { tenant: "default", route: "/v1/ask", outcome: "ok" });
    expect(answers).toBeGreaterThanOrEqual(3);
    expect(gained("ragline_request_duration_seconds_count", { outcome: "ok" })).toBe(answers);
    expect(gained("ragline_time_to_first_token_seconds_count")).toBe(answers);
    expect(gained("ragline_step_duration_seconds_count", { step: "session" })).toBe(answers);
    expect(gained("ragline_cache_lookups_total", { cache: "answer", result: "hit" })).toBe(1);
    expect(gained("ragline_cache_lookups_total", { cache: "answer", result: "miss" })).toBe(answers - 2);
    expect(gained("ragline_step_duration_seconds_count", { step: "search" })).toBe(answers - 1);
    expect(gained("ragline_session_saves_total", { outcome: "saved" })).toBe(answers);
    expect(sampleOf(after, "ragline_active_streams")).toBe(0);
    const all = (samples: readonly Sample[], name: string) =>
      samples.filter((sample) => sample.name === name).reduce((total, { value }) => total + value, 0);
    expect(all(after, "ragline_active_steps")).toBe(0);
    // What first texts waited for is all of their time.
    const waits = "ragline_first_text_wait_seconds_total";
    const waited = all(after, waits) - all(before, waits);
    expect(waited / gained("ragline_time_to_first_token_seconds_sum")).toBeCloseTo(1, 1);
  });

  it("counts whom no text reached as left before it, and not those who left at some text", async () => {
    const gainedBy = async (last: string) => {
      const before = await scrape(served.url);
      for await (const { type } of served.ragline.ask({ question: "연차 휴가는 며칠인가요?", cache: false })) {
        if (type === last) break;
      }
      const after = await scrape(served.url);
      return ["left_before_text_seconds_count", "request_duration_seconds_count"].map((name) => {
        const labels = name.startsWith("request") ? { outcome: "cancelled" } : {};
        return sampleOf(after, `ragline_${name}`, labels) - sampleOf(before, `ragline_${name}`, labels);
      });
    };
    expect(await gainedBy("source-list")).toEqual([1, 1]);
    expect(await gainedBy("text-delta")).toEqual([0, 1]);
    expect(await gainedBy("answer-end")).toEqual([0, 0]);
  });

  it("counts each step once an answer, and only those of answers", async () => {
    const counts = async () =>
      Object.fromEntries(
        (await scrape(served.url))
          .filter(({ name }) => name === "ragline_step_duration_seconds_count")
          .map(({ labels, value }) => [labels.step, value]),
      );
    const before = await counts();
    for (let n = 0; n < 4; n++) await ask({ question: `연차 휴가는 며칠인가요? ${n}`, cache: false });
    const after = await counts();
    for (const step of ["session", "embed", "search", "prompt", "generate", "save"]) {
      expect([step, (after[step] ?? 0) - (before[step] ?? 0)]).toEqual([step, 4]);
    }
    await fetch(`${served.url}/readyz`);
    await fetch(`${served.url}/v1/status`);
    await postJson(`${served.url}/v1/search`, { query: "연차" });
    expect(await counts()).toEqual(after);
  });

  it("counts other routes by their pattern, and who sends nonsense as refused", async () => {
    const before = await scrape(served.url);
    await ask({ question: "" });
    await postJson(`${served.url}/v1/search`, { query: "연차" });
    await fetch(`${served.url}/v1/documents/${encodeURIComponent("hr/휴가.md")}`);
    await fetch(`${served.url}/v1/documents/none`);
    await fetch(`${served.url}/nowhere/${Math.random()}`);
    const after = await scrape(served.url);
    const gained = (route: string, outcome: string) =>
      sampleOf(after, "ragline_requests_total", { route, outcome }) -
      sampleOf(before, "ragline_requests_total", { route, outcome });
    expect(gained("/v1/ask", "refused")).toBe(1);
    expect(gained("/v1/search", "ok")).toBe(1);
    expect(gained("/v1/documents/*", "ok")).toBe(1);
    expect(gained("/v1/documents/*", "refused")).toBe(1);
    expect(gained("unknown", "refused")).toBe(1);
  });

  it("names only so many tenants", async () => {
    for (const tenant of ["갑", "을", "병", "정"]) await served.ragline.answer({ question: "휴가?" }, { tenant });
    const samples = await scrape(served.url);
    const tenants = new Set(
      samples.filter(({ name }) => name === "ragline_requests_total").map(({ labels }) => labels.tenant),
    );
    expect(tenants).toEqual(new Set(["default", "갑", "other"]));
    expect(sampleOf(samples, "ragline_requests_total", { tenant: "other", route: "library" })).toBe(3);
  });

  it("is not there where it is switched off", async () => {
    const off = await serveRagline({ telemetry: { metrics: false, tenantsMax: 1 } });
    expect((await fetch(`${off.url}/metrics`)).status).toBe(404);
    await off.close();
  });
});

describe("what depends on others", () => {
  let model: StubServer;
  let failing: ServedRagline;

  beforeAll(async () => {
    model = await stubServer((_request, response) => void response.writeHead(500).end());
    failing = await serveRagline({
      embed: { use: "tei", baseUrl: model.url, model: "m", dimensions: 64, concurrencyMax: 1, retries: 0 },
      generate: { use: "openai", baseUrl: `${model.url}/v1`, model: "m", retries: 0 },
      rewrite: { use: "none" },
    });
  });
  afterAll(async () => {
    await failing.close();
    await model.close();
  });

  it("an answer whose reader leaves after its first text counts that; steps under way are seen", async () => {
    model.answer(async (request, response) => {
      if (!request.path.endsWith("/chat/completions")) return void response.writeHead(500).end();
      await streaming([chunk.role, chunk.text("열닷새")], { afterwards: "hang" })(request, response);
    });
    const before = await scrape(failing.url);
    const leaving = new AbortController();
    const response = await fetch(`${failing.url}/v1/ask`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ question: "휴가?" }),
      signal: leaving.signal,
    });
    let text = "";
    for await (const bytes of response.body ?? []) {
      text += Buffer.from(bytes).toString();
      if (text.includes("열닷새")) break;
    }
    expect(sampleOf(await scrape(failing.url), "ragline_active_steps", { step: "generate" })).toBe(1);
    leaving.abort();
    await until("its end is seen", async () => sampleOf(await scrape(failing.url), "ragline_active_streams") === 0);
    const after = await scrape(failing.url);
    const gained = (name: string, labels = {}) => sampleOf(after, name, labels) - sampleOf(before, name, labels);
    expect(gained("ragline_requests_total", { outcome: "cancelled" })).toBe(1);
    expect(gained("ragline_time_to_first_token_seconds_count")).toBe(1);
    expect(gained("ragline_first_text_wait_seconds_total", { step: "generate" })).toBeGreaterThan(0);
    expect(sampleOf(after, "ragline_active_steps", { step: "generate" })).toBe(0);
    model.answer((_request, stubbed) => void stubbed.writeHead(500).end());
  });

  it("counts degradations, errors, queues and model calls", async () => {
    await postJson(`${failing.url}/v1/ask`, { question: "연차?" }).then((response) => response.text());
    const samples = await scrape(failing.url);
    expect(sampleOf(samples, "ragline_errors_total", { code: "dependency_failed", step: "generate" })).toBe(1);
    expect(sampleOf(samples, "ragline_requests_total", { route: "/v1/ask", outcome: "failed" })).toBe(1);
    expect(samples).toContainEqual({ name: "ragline_queue_depth", labels: { step: "embed" }, value: 0 });
    expect(samples).toContainEqual({ name: "ragline_queue_depth", labels: { step: "generate" }, value: 0 });
  });
});

it("tenants beyond the bound share one label, known ones keep theirs", () => {
  const labels = new BoundedLabels(1);
  expect(["a", "b", "a", "c"].map((tenant) => labels.of(tenant))).toEqual(["a", "other", "a", "other"]);
});

it("the event loop's delay is seen", async () => {
  const registry = createProcessMetrics();
  await until("a delay is seen", async () => {
    await new Promise((resolve) => setTimeout(resolve, 60));
    const blockedUntil = performance.now() + 60;
    while (performance.now() < blockedUntil);
    await new Promise((resolve) => setTimeout(resolve, 30));
    const samples = samplesOf(await registry.metrics());
    return sampleOf(samples, "ragline_event_loop_delay_seconds", { quantile: "1" }) > 0.02;
  });
});
