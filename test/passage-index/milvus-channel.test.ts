import { once } from "node:events";
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { MilvusChannel } from "../../src/adapters/passage-index/milvus-channel.ts";
import { until } from "../support/calls.ts";

describe("gRPC's calls of one message each way", () => {
  const sockets = new Set<Socket>();
  let onCall: (stream: ServerHttp2Stream, headers: Record<string, unknown>, message: Buffer) => void;
  let server: ReturnType<typeof createServer>;
  let channel: MilvusChannel;

  beforeEach(async () => {
    server = createServer();
    server.on("connection", (socket) => sockets.add(socket));
    server.on("stream", async (stream, headers) => {
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      onCall(stream, headers, Buffer.concat(chunks));
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    channel = new MilvusChannel({ url: `http://127.0.0.1:${port}`, headers: { dbname: "d" }, silentMs: 50 });
  });
  afterEach(() => {
    channel.close();
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    server.close();
  });

  const answer = (stream: ServerHttp2Stream, body: Buffer, status = "0") => {
    stream.on("error", () => undefined);
    stream.respond({ ":status": 200 }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": status, "grpc-message": "why" }));
    stream.end(body);
  };

  test("a message goes there and one comes back, of any length, beside others", async () => {
    const seen: Record<string, unknown>[] = [];
    onCall = (stream, headers, message) => {
      seen.push(headers);
      answer(stream, message);
    };
    const messages = [0, 5, 100_000, 3_000_000].map((length) => Buffer.alloc(length, "가"));
    const calls = messages.map((message) => channel.call("/s/m", message, 1500).answer);
    const answers = await Promise.all(calls);
    for (const [i, message] of messages.entries()) expect(answers[i]?.equals(message)).toBe(true);
    expect(seen[0]).toMatchObject({ ":path": "/s/m", "grpc-timeout": "1500m", dbname: "d", te: "trailers" });
    expect(sockets.size).toBe(1);
  });

  test("a refusal comes with its code and reason, with or without a message before it", async () => {
    onCall = (stream) => answer(stream, Buffer.alloc(0), "7");
    await expect(channel.call("/s/m", Buffer.alloc(0), 1000).answer).rejects.toMatchObject({ code: 7, details: "why" });
    onCall = (stream) => stream.respond({ ":status": 200, "grpc-status": "12" }, { endStream: true });
    await expect(channel.call("/s/m", Buffer.alloc(0), 1000).answer).rejects.toMatchObject({ code: 12 });
    onCall = (stream) => stream.respond({ ":status": 503 }, { endStream: true });
    await expect(channel.call("/s/m", Buffer.alloc(0), 1000).answer).rejects.toMatchObject({ code: 14 });
    onCall = (stream) => answer(stream, Buffer.from([0, 0, 0, 0, 9, 1]));
    await expect(channel.call("/s/m", Buffer.alloc(0), 1000).answer).rejects.toMatchObject({ code: 13 });
  });

  test("a lost connection fails what was under way, and the next call has a new one", async () => {
    onCall = () => {
      for (const socket of sockets) socket.destroy();
    };
    await expect(channel.call("/s/m", Buffer.from("a"), 1000).answer).rejects.toMatchObject({ code: 14 });
    onCall = (stream, _, message) => answer(stream, message);
    expect(String(await channel.call("/s/m", Buffer.from("b"), 1000).answer)).toBe("b");
    expect(sockets.size).toBe(2);
  });

  test("who leaves is told to the server; a connection that gives nothing any more is left for a new one", async () => {
    let cancelled = 0;
    onCall = (stream, _, message) => answer(stream, message);
    await channel.call("/s/m", Buffer.alloc(0), 1000).answer;
    onCall = (stream) => {
      stream.on("error", () => undefined);
      stream.on("close", () => cancelled++);
    };
    const first = channel.call("/s/m", Buffer.alloc(0), 1000);
    first.answer.catch(() => undefined);
    first.cancel();
    await until("the server knows", () => cancelled === 1);
    expect(sockets.size).toBe(1);
    const second = channel.call("/s/m", Buffer.alloc(0), 1000);
    second.answer.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 100));
    second.cancel();
    onCall = (stream, _, message) => answer(stream, message);
    await channel.call("/s/m", Buffer.from("b"), 1000).answer;
    expect(sockets.size).toBe(2);
  });
});
