import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";

let served: ServedRagline;
beforeAll(async () => {
  served = await serveRagline({ cache: { use: "none" } });
  await addPages(served.ragline);
});
afterAll(() => served.close());

const QUESTION = "연차휴가는 며칠인가요?";

function asking(version: string, sessionId: string, ...headers: string[]): string {
  const body = JSON.stringify({ question: QUESTION, sessionId });
  const lines = ["Host: x", "Content-Type: application/json", "Accept: text/event-stream", ...headers];
  return `POST /v1/ask ${version}\r\n${lines.join("\r\n")}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** All that comes back on one connection until the server ends it. */
async function sent(requests: string): Promise<string> {
  const socket = connect(Number(new URL(served.url).port), "127.0.0.1");
  socket.write(requests);
  return text(socket);
}

/** Of a body in chunks, which it checks. */
function joined(chunks: string): { readonly body: string; readonly rest: string } {
  let bytes = Buffer.from(chunks);
  const parts: Buffer[] = [];
  for (;;) {
    const end = bytes.indexOf("\r\n");
    const length = Number.parseInt(bytes.subarray(0, end).toString(), 16);
    const from = end + 2;
    expect(bytes.subarray(from + length, from + length + 2).toString()).toBe("\r\n");
    parts.push(bytes.subarray(from, from + length));
    bytes = bytes.subarray(from + length + 2);
    if (length === 0) return { body: Buffer.concat(parts).toString(), rest: bytes.toString() };
  }
}

function answerIn(body: string): string {
  expect(body.split("\n").filter((line) => !/^((event|data): .*)?$/.test(line))).toEqual([]);
  const deltas = [...body.matchAll(/event: text-delta\ndata: (.*)\n/g)].map(([, data = ""]) => JSON.parse(data).text);
  expect(body.trimEnd()).toMatch(/event: answer-end\ndata: .*$/);
  return deltas.join("");
}

test("a client of HTTP/1.0 gets the answer without chunks, to the end of the connection", async () => {
  const reply = await sent(asking("HTTP/1.0", "one-0"));
  const [head = "", body = ""] = reply.split(/\r\n\r\n(.*)/s);
  expect(head).toMatch(/^HTTP\/1\.1 200 /);
  expect(head.toLowerCase()).not.toContain("transfer-encoding");
  expect(body).toMatch(/^event: /);
  expect(answerIn(body)).toContain("[1]");
});

test("two questions sent one after the other on one connection are answered in order, each whole", async () => {
  const reply = await sent(asking("HTTP/1.1", "first-1") + asking("HTTP/1.1", "second-2", "Connection: close"));
  const [, chunks = ""] = reply.split(/\r\n\r\n(.*)/s);
  const first = joined(chunks);
  const [, further = ""] = first.rest.split(/\r\n\r\n(.*)/s);
  const second = joined(further);
  expect(second.rest).toBe("");
  expect(first.body).toContain('"first-1"');
  expect(second.body).toContain('"second-2"');
  expect(answerIn(first.body)).toContain("[1]");
  expect(answerIn(second.body)).toBe(answerIn(first.body));
});
