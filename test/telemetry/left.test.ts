import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createServer } from "../../src/http/server.ts";
import { type ConfigInput, createRagline } from "../../src/index.ts";
import { until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { postJson } from "../support/http.ts";
import { type OtlpReceiver, otlpReceiver } from "../support/otlp-receiver.ts";
import { postgresMissing, startPostgres } from "../support/postgres.ts";
import { redisMissing, startRedis } from "../support/redis.ts";
import { sampleOf, scrape } from "../support/scrape.ts";
import { type StubServer, stubServer } from "../support/stub-server.ts";

type Line = Readonly<Record<string, unknown>>;

/** A server whose log can be read. */
async function serve(config: object) {
  const folder = temporaryFolder();
  const lines: Line[] = [];
  const file = folder.file("ragline.db");
  const log = pino({ level: "info" }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const all = { embed: { use: "hashing" }, search: { file }, session: { file }, cache: { use: "none" }, ...config };
  const ragline = await createRagline({ generate: { use: "extractive" }, ...all } as ConfigInput, { log });
  const app = await createServer(ragline);
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo;
  return {
    ...{ ragline, port, lines, url: `http://127.0.0.1:${port}` },
    of: (msg: string) => lines.filter((line) => line.msg === msg),
    async close() {
      app.server.closeAllConnections();
      await app.close();
      await ragline.close();
      folder.remove();
    },
  };
}

function post(path: string, body: object): string {
  const text = JSON.stringify(body);
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`;
  return `${head}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

/** Sends this and hangs up once `enough`. */
async function left(port: number, text: string, enough: () => boolean | Promise<boolean>): Promise<void> {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  socket.write(text);
  await until("the request is under way", enough);
  socket.destroy();
}

describe("a client that leaves", () => {
  let embedder: StubServer;
  let served: Awaited<ReturnType<typeof serve>>;

  beforeAll(async () => {
    embedder = await stubServer(() => undefined);
    served = await serve({
      embed: { use: "tei", baseUrl: embedder.url, model: "m", dimensions: 4, retries: 0, concurrencyMax: 64 },
      server: { timeoutMs: 20_000 },
    });
  });
  beforeEach(() => {
    served.lines.length = 0;
  });
  afterAll(async () => {
    await served.close();
    await embedder.close();
  });

  const cancelled = async (route: string) =>
    sampleOf(await scrape(served.url), "ragline_requests_total", { route, outcome: "cancelled" });

  it.each([
    ["/v1/search", "request", { query: "연차" }],
    ["/v1/documents", "request", { id: "a", text: "연차는 15일" }],
    ["/v1/ask", "answer", { question: "연차?" }],
    ["/v1/chat/completions", "answer", { messages: [{ role: "user", content: "연차?" }] }],
  ])("%s is counted and logged once, as cancelled", async (route, msg, body) => {
    const before = await cancelled(route);
    const calls = embedder.requests.length;
    await left(served.port, post(route, body), () => embedder.requests.length > calls);
    const lines = () => served.lines.filter((line) => line.route === route);
    await until("it is logged", () => lines().length > 0);
    expect(await cancelled(route)).toBe(before + 1);
    await postJson(`${served.url}/v1/search`, { query: "" });
    expect(lines().filter(({ outcome }) => outcome === "cancelled")).toMatchObject([{ msg, outcome: "cancelled" }]);
    expect(sampleOf(await scrape(served.url), "ragline_errors_total", { code: "cancelled" })).toBe(0);
  });

  it("in the middle of its body too", async () => {
    const before = await cancelled("/v1/search");
    let open = 0;
    const socket = connect(served.port, "127.0.0.1").on("error", () => undefined);
    socket.write(post("/v1/search", { query: "연차" }).slice(0, -5), () => open++);
    await until("it is sent", () => open > 0);
    await fetch(`${served.url}/healthz`);
    socket.destroy();
    await until("it is logged", () => served.of("request").some(({ route }) => route === "/v1/search"));
    await fetch(`${served.url}/healthz`);
    expect(served.of("request")).toMatchObject([{ route: "/v1/search", outcome: "cancelled", status: 499 }]);
    expect(await cancelled("/v1/search")).toBe(before + 1);
  });

  it("with requests that wait behind another on its connection: all of them", async () => {
    const before = await cancelled("/v1/search");
    const calls = embedder.requests.length;
    const all = Array.from({ length: 12 }, (_, i) => post("/v1/search", { query: `연차 ${i}` })).join("");
    await left(served.port, all, () => embedder.requests.length > calls);
    await until("they are logged", () => served.of("request").length >= 12);
    expect(await cancelled("/v1/search")).toBe(before + 12);
  });
});

describe("answers that cannot begin", () => {
  it("a session store that is down: failed, with code, step and cause", async () => {
    const served = await serve({ session: { use: "redis", url: "redis://127.0.0.1:9", timeoutMs: 300 } });
    const response = await postJson(`${served.url}/v1/ask`, { question: "연차?" });
    expect(response.status).toBe(502);
    const samples = await scrape(served.url);
    expect(sampleOf(samples, "ragline_requests_total", { route: "/v1/ask", outcome: "failed" })).toBe(1);
    expect(sampleOf(samples, "ragline_request_duration_seconds_count", { outcome: "failed" })).toBe(1);
    expect(sampleOf(samples, "ragline_errors_total", { code: "dependency_failed", step: "session" })).toBe(1);
    expect(sampleOf(samples, "ragline_active_streams")).toBe(0);
    expect(served.of("answer")).toMatchObject([{ outcome: "failed", code: "dependency_failed", step: "session" }]);
    const warned = served.lines.filter(({ level, step }) => level === 40 && step === "session");
    expect(warned).toMatchObject([
      { code: "dependency_failed", requestId: expect.any(String), err: expect.anything() },
    ]);
    await served.close();
  });

  describe.each([
    ["redis", redisMissing, startRedis],
    ["postgres", postgresMissing, startPostgres],
  ] as const)("on %s", (use, missing, start) => {
    let store: Awaited<ReturnType<typeof start>>;
    beforeAll(async () => {
      if (missing === null) store = await start();
    });
    afterAll(() => store?.close());

    it.skipIf(missing !== null)(
      "clients who leave at once leave no question pending, and a full conversation is refused, not cancelled",
      async () => {
        const served = await serve({ session: { use, url: store.url }, generate: { use: "extractive" } });
        const sockets = Array.from({ length: 200 }, async (_, i) => {
          const socket = connect(served.port, "127.0.0.1").on("error", () => undefined);
          socket.write(post("/v1/ask", { question: `연차? ${i}`, sessionId: "one" }));
          await new Promise((resolve) => setTimeout(resolve, 2 + 10 * (i % 40)));
          socket.destroy();
        });
        await Promise.all(sockets);
        await until("nobody is answered any more", async () => {
          const samples = await scrape(served.url);
          return sampleOf(samples, "ragline_active_streams") === 0;
        });
        await until("nothing is pending", async () => (await served.ragline.readSession("one"))?.pending.length === 0);
        const asked = await postJson(`${served.url}/v1/ask`, { question: "연차?", sessionId: "one" });
        expect(asked.status).toBe(200);
        await asked.text();
        await served.close();
      },
    );
  });
});

describe("a request that is refused before it reaches a route", () => {
  let receiver: OtlpReceiver;
  let served: Awaited<ReturnType<typeof serve>>;

  beforeAll(async () => {
    receiver = await otlpReceiver();
    served = await serve({ telemetry: { traces: "otlp", endpoint: receiver.url, sampling: 1 } });
  });
  afterAll(async () => {
    await served.close();
    await receiver.close();
  });

  it.each([
    ["a path that is no UTF-8", "GET /v1/documents/%E0%A4%A HTTP/1.1\r\nHost: x", "request_invalid", "unknown"],
    ["a path that is no percent-encoding", "GET /v1/sessions/%zz HTTP/1.1\r\nHost: x", "request_invalid", "unknown"],
    ["an id too long", `GET /v1/sessions/${"a".repeat(2001)} HTTP/1.1\r\nHost: x`, "request_invalid", "unknown"],
    ["no Host", "GET /v1/status HTTP/1.1", "request_invalid", "/v1/status"],
    ["no such route", "GET /nowhere HTTP/1.1\r\nHost: x", "not_found", "unknown"],
  ])("%s: one line, one count, one error, one span", async (_, head, code, route) => {
    const counts = async () => {
      const samples = await scrape(served.url);
      return [
        sampleOf(samples, "ragline_requests_total", { route, outcome: "refused" }),
        sampleOf(samples, "ragline_errors_total", { code, step: "none" }),
      ];
    };
    const [requests = 0, errors = 0] = await counts();
    const spans = receiver.spans.length;
    served.lines.length = 0;
    const socket = connect(served.port, "127.0.0.1").on("error", () => undefined);
    socket.resume().write(`${head}\r\nConnection: close\r\n\r\n`);
    await until("it is logged", () => served.of("request").length > 0);
    expect(served.of("request")).toMatchObject([
      { requestId: expect.any(String), method: "GET", route, outcome: "refused", code, totalMs: expect.any(Number) },
    ]);
    expect(await counts()).toEqual([requests + 1, errors + 1]);
    await served.ragline.telemetry.traces?.flush();
    expect(receiver.spans.slice(spans)).toMatchObject([{ name: `GET ${route}` }]);
  });
});
