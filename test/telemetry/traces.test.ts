import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { eventsOf, postJson, textOf } from "../support/http.ts";
import { type OtlpReceiver, otlpReceiver, type ReceivedSpan } from "../support/otlp-receiver.ts";
import { addPages, openRagline, type ServedRagline, serveRagline } from "../support/ragline.ts";
import { type ServedProcess, serveProcess } from "../support/served-process.ts";
import { DIMENSIONS, teiEmbed } from "../support/stub-embeddings.ts";
import { tei, teiInfo, teiRerank } from "../support/stub-rerank.ts";
import { type StubServer, stubServer } from "../support/stub-server.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";
const QUESTION = "연차 휴가는 며칠인가요?";

let receiver: OtlpReceiver;
let models: StubServer;
let behind: ServedProcess;
let served: ServedRagline;
const folder = temporaryFolder();

/** Two Raglines: the first answers by the second, in another process, which speaks OpenAI's protocol. */
beforeAll(async () => {
  receiver = await otlpReceiver();
  models = await stubServer(
    tei(
      (request, response) => {
        response.setHeader("x-total-time", "3");
        response.setHeader("x-queue-time", "1");
        return request.path === "/embed" ? teiEmbed(request, response) : teiRerank(request, response);
      },
      { ...teiInfo, model_id: "m" },
    ),
  );
  const traced = { traces: "otlp", endpoint: `${receiver.url}/?api_key=otlp-query`, sampling: 1 };
  const file = folder.file("behind.db");
  behind = await serveProcess({
    search: { use: "sqlite", file },
    session: { use: "sqlite", file },
    cache: { use: "none" },
    telemetry: { ...traced, serviceName: "behind" },
  });
  served = await serveRagline({
    embed: { use: "tei", baseUrl: models.url, model: "m", dimensions: DIMENSIONS },
    rerank: { use: "tei", baseUrl: models.url },
    generate: { use: "openai", baseUrl: `${behind.url}/v1`, model: "extractive", apiKey: "sk-geheim-123" },
    search: { use: "sqlite", vectorWeight: 0.5, vectorWeightCovered: 0.5, fusion: "fixed" },
    telemetry: { ...traced, serviceName: "first", headers: { "x-tenant-key": "otlp-key" } },
  } as never);
  await addPages(served.ragline);
});
afterAll(async () => {
  await served?.close();
  await behind?.kill();
  await models?.close();
  await receiver?.close();
  folder.remove();
});

describe("traces, as an OTLP receiver gets them", () => {
  let spans: ReceivedSpan[];
  const named = (name: string | RegExp, service = "first") => {
    const found = spans.filter((one) => one.service === service && one.name.match(name)?.[0] === one.name);
    expect(found.map((one) => one.name)).toHaveLength(1);
    return found[0] as ReceivedSpan;
  };

  beforeAll(async () => {
    const traceparent = `00-${TRACE}-${CALLER}-01`;
    const response = await postJson(`${served.url}/v1/ask`, { question: QUESTION }, { traceparent });
    expect(textOf(await eventsOf(response))).not.toBe("");
    const ofTrace = () => receiver.spans.filter(({ traceId }) => traceId === TRACE);
    await until(
      "both processes' spans are there",
      () => ["first", "behind"].every((name) => ofTrace().some((one) => one.service === name && one.kind === 2)),
      50_000,
    );
    spans = ofTrace();
  });

  it("every span is below the caller's, and every parent is there", () => {
    const ids = new Set([CALLER, ...spans.map(({ spanId }) => spanId)]);
    for (const { parentId, name } of spans) expect(ids, name).toContain(parentId);
    expect(named("POST /v1/ask")).toMatchObject({ parentId: CALLER, kind: 2 });
    expect(named("POST /v1/ask").attributes).toMatchObject({
      "http.request.method": "POST",
      "http.route": "/v1/ask",
      "http.response.status_code": 200,
    });
  });

  it("an answer holds a span each step", () => {
    const answer = named("answer");
    expect(answer.parentId).toBe(named("POST /v1/ask").spanId);
    expect(answer.attributes).toMatchObject({ "ragline.outcome": "ok", "ragline.tenant": "default" });
    for (const step of ["session", "embed", "search", "rerank", "generate"]) {
      const span = named(step);
      expect(span.parentId).toBe(answer.spanId);
      expect(span.startMs).toBeGreaterThanOrEqual(answer.startMs - 1);
      expect(span.endMs).toBeLessThanOrEqual(answer.endMs + 1);
    }
    expect(named("rerank").attributes).toMatchObject({ "ragline.queue_ms": 1, "ragline.service_ms": 2 });
  });

  it("model calls are described by the conventions for generative AI", () => {
    const chat = named("chat extractive");
    expect(chat).toMatchObject({ parentId: named("generate").spanId, kind: 3 });
    expect(chat.attributes).toMatchObject({
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "extractive",
      "gen_ai.request.stream": true,
      "gen_ai.response.finish_reasons": ["stop"],
      "gen_ai.usage.input_tokens": expect.any(Number),
      "gen_ai.usage.output_tokens": expect.any(Number),
      "gen_ai.response.time_to_first_chunk": expect.any(Number),
      "server.address": "127.0.0.1",
      "server.port": Number(new URL(behind.url).port),
    });
    const embeddings = named("embeddings m");
    expect(embeddings.parentId).toBe(named("embed").spanId);
    expect(embeddings.attributes).toMatchObject({
      "gen_ai.operation.name": "embeddings",
      "gen_ai.provider.name": "tei",
      "gen_ai.request.model": "m",
      "gen_ai.embeddings.dimension.count": DIMENSIONS,
      "gen_ai.usage.input_tokens": 8,
    });
    expect(named(/rerank .+/).parentId).toBe(named("rerank").spanId);
  });

  it("the trace goes on in the other process, and at every endpoint", () => {
    expect(named("POST /v1/chat/completions", "behind").parentId).toBe(named("chat extractive").spanId);
    expect(named("answer", "behind").parentId).toBe(named("POST /v1/chat/completions", "behind").spanId);
    expect(named("generate", "behind").parentId).toBe(named("answer", "behind").spanId);
    const sent = models.requests.filter(({ path }) => path === "/embed").at(-1);
    expect(sent?.headers.traceparent).toBe(`00-${TRACE}-${named("embeddings m").spanId}-01`);
  });

  it("holds nothing that was asked or said, and no key; the collector's own comes as a header, or behind its address", () => {
    for (const word of ["연차", "진단서", "laptops", "sk-geheim-123", "otlp-key", "otlp-query"]) {
      expect(receiver.bytes).not.toContain(word);
    }
    expect(receiver.spans.some(({ service }) => service === "first")).toBe(true);
    expect(receiver.query).toBe("api_key=otlp-query");
  });

  it("a trace that its caller does not sample is not recorded, and whoever is called is told so", async () => {
    const traceId = "1".repeat(32);
    const traceparent = `00-${traceId}-${CALLER}-00`;
    await eventsOf(await postJson(`${served.url}/v1/ask`, { question: "병가는 며칠까지?" }, { traceparent }));
    const sent = models.requests.filter(({ path }) => path === "/rerank").at(-1);
    expect(sent?.headers.traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
    await served.ragline.telemetry.traces?.flush();
    expect(receiver.spans.filter((one) => one.traceId === traceId)).toEqual([]);
  });

  it("a failed call is an error, and so is its answer", async () => {
    const traceId = "2".repeat(32);
    const traceparent = `00-${traceId}-${CALLER}-01`;
    models.answer(tei((_request, response) => void response.writeHead(500).end(), { ...teiInfo, model_id: "m" }));
    await eventsOf(
      await postJson(
        `${served.url}/v1/ask`,
        { question: "진단서를 내면 병가를 얼마나 쓸 수 있나요?" },
        { traceparent },
      ),
    );
    await served.ragline.telemetry.traces?.flush();
    const ofTrace = receiver.spans.filter((one) => one.traceId === traceId && one.service === "first");
    const rerank = ofTrace.filter(({ name }) => name.startsWith("rerank "));
    expect(rerank).toHaveLength(2);
    for (const one of rerank) {
      expect(one).toMatchObject({ status: 2, attributes: { "error.type": "dependency_failed" } });
    }
    expect(ofTrace.find(({ name }) => name === "answer")?.attributes).toMatchObject({
      "ragline.outcome": "degraded",
      "ragline.degraded": expect.arrayContaining(["rerank: dependency_failed"]),
    });
  });
});

it("prompts and answers are recorded where that is asked for", async () => {
  const model = await stubServer((request, response) => {
    if (request.path.endsWith("/embed")) return teiEmbed(request, response);
    response.writeHead(200, { "content-type": "text/event-stream" });
    const chunk = { choices: [{ index: 0, delta: { content: "열닷새입니다" }, finish_reason: "stop" }] };
    response.end(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`);
  });
  const open = await serveRagline({
    generate: { use: "openai", baseUrl: `${model.url}/v1`, model: "m" },
    telemetry: { traces: "otlp", endpoint: receiver.url, sampling: 1, content: true },
  } as never);
  await addPages(open.ragline);
  await open.ragline.answer({ question: QUESTION });
  await open.ragline.telemetry.traces?.flush();
  const chat = receiver.spans.find(({ name, service }) => name === "chat m" && service === "ragline");
  expect(JSON.parse(String(chat?.attributes["gen_ai.input.messages"])).at(-1).parts[0].content).toContain(QUESTION);
  expect(JSON.parse(String(chat?.attributes["gen_ai.output.messages"]))).toEqual([
    { role: "assistant", parts: [{ type: "text", content: "열닷새입니다" }], finish_reason: "stop" },
  ]);
  await open.close();
  await model.close();
});

it("a collector whose answer never ends does not keep the process", async () => {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": "application/x-protobuf", "content-length": "100000" });
    const dripping = setInterval(() => response.write("x"), 200);
    response.once("close", () => clearInterval(dripping));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const ended = once(server, "connection").then(([socket]) => once(socket, "close"));
  const { port } = server.address() as AddressInfo;
  const slow = await openRagline({
    telemetry: { traces: "otlp", endpoint: `http://127.0.0.1:${port}`, sampling: 1 },
  } as never);
  await addPages(slow.ragline);
  await slow.ragline.answer({ question: QUESTION });
  const since = performance.now();
  await slow.close();
  await ended;
  expect(performance.now() - since).toBeLessThan(15_000);
  server.close();
}, 30_000);
