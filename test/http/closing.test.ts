import { once } from "node:events";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { errorSchema } from "../../src/http/responses.ts";
import { until } from "../support/calls.ts";
import { serveRagline } from "../support/ragline.ts";

test("a request that was half sent when the server began to close is refused in the error's words", async () => {
  const { app, port, close } = await serveRagline();
  onTestFinished(close);
  const body = JSON.stringify({ question: "휴가는 며칠인가요?" });
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  let received = "";
  socket.setEncoding("utf8").on("data", (piece: string) => {
    received += piece;
  });
  const length = Buffer.byteLength(body);
  socket.write(`POST /v1/ask HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n`);
  await until("the server has the connection's first bytes", () => socket.bytesWritten > 0);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const closing = app.close();
  await until("it takes no connection any more", () => !app.server.listening);
  socket.write(`\r\n${body}`);
  await once(socket, "close");
  const [head = "", said = ""] = received.split("\r\n\r\n");
  expect(head).toMatch(/^HTTP\/1\.1 503 /);
  const { error } = errorSchema.strict().parse(JSON.parse(said));
  expect(error).toMatchObject({ code: "overloaded", retryable: true, message: expect.stringMatching(/stopping/) });
  expect(head.toLowerCase()).toContain(`x-request-id: ${error.requestId}`);
  expect(head.toLowerCase()).toContain("connection: close");
  await closing;
});
