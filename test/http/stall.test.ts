import { connect } from "node:net";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { until } from "../support/calls.ts";
import { type ServedRagline, serveRagline } from "../support/ragline.ts";
import { sampleOf, scrape } from "../support/scrape.ts";

let served: ServedRagline;
beforeAll(async () => {
  served = await serveRagline({ server: { stallTimeoutMs: 400 } });
  const text = "가".repeat(4000);
  const metadata = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`f${i}`, text]));
  for (let i = 0; i < 14; i++) await served.ragline.addDocument({ id: `${i}`, text: `글 ${i}`, metadata });
});
afterAll(() => served.close());

const open = () => new Promise<number>((resolve) => served.app.server.getConnections((_, count) => resolve(count)));

test("documents come in pages of at most 8 MiB, to the last", async () => {
  const ids: string[] = [];
  for (let after: string | undefined = ""; after !== undefined; ) {
    const response = await fetch(`${served.url}/v1/documents?limit=1000&after=${after}`);
    const text = await response.text();
    expect(Buffer.byteLength(text)).toBeLessThan(8 * 1_048_576 + 1000);
    const page = JSON.parse(text) as { documents: { id: string }[]; next?: string };
    ids.push(...page.documents.map(({ id }) => id));
    after = page.next;
  }
  expect(ids).toEqual(Array.from({ length: 14 }, (_, i) => `${i}`).sort());
});

test("a client that takes nothing of a response is cut; one that takes it slowly is not", async () => {
  const get = "GET /v1/documents?limit=1000 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
  const slow = connect({ port: served.port, host: "127.0.0.1", readableHighWaterMark: 16_384 } as never);
  let read = 0;
  let slowEnded = false;
  slow.on("data", (data: Buffer) => {
    read += data.length;
    slow.pause();
    setTimeout(() => slow.resume(), 2);
  });
  slow.on("close", () => {
    slowEnded = true;
  });
  slow.write(get);
  const idle = connect(served.port, "127.0.0.1")
    .pause()
    .on("error", () => undefined);
  idle.write(get);
  await until("both are answered", async () => (await open()) >= 2);
  const cut = async () =>
    sampleOf(await scrape(served.url), "ragline_requests_total", { route: "/v1/documents", outcome: "cancelled" });
  await until("the idle one is cut", async () => (await cut()) === 1, 10_000);
  await until("the slow one has read all", () => slowEnded, 20_000);
  expect(read).toBeGreaterThan(7 * 1_048_576);
  expect(await cut()).toBe(1);
  idle.destroy();
});

test("a connection that has taken its response waits for the next request for longer than that", async () => {
  const socket = connect(served.port, "127.0.0.1");
  let text = "";
  socket.setEncoding("utf8").on("data", (data: string) => {
    text += data;
  });
  const get = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
  socket.write(get);
  await until("it is answered", () => text.includes('"ok"'));
  await new Promise((resolve) => setTimeout(resolve, 900));
  text = "";
  socket.write(get);
  await until("it is answered again", () => text.includes('"ok"'));
  socket.destroy();
});

test("a body that does not come is cut as headers are that do not come", async () => {
  const { server } = served.app;
  const [headersTimeout, requestTimeout] = [server.headersTimeout, server.requestTimeout];
  // Where the former is larger, Node gives bodies that long.
  expect(headersTimeout).toBe(requestTimeout);
  Object.assign(server, { headersTimeout: 100, requestTimeout: 100 });
  onTestFinished(() => void Object.assign(server, { headersTimeout, requestTimeout }));
  const socket = connect(served.port, "127.0.0.1");
  let text = "";
  socket.setEncoding("utf8").on("data", (data: string) => {
    text += data;
  });
  socket.write("POST /v1/ask HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{");
  await new Promise((resolve) => socket.once("close", resolve));
  expect(text).toContain("request: not complete within its time");
});
