import { spawn } from "node:child_process";
import { once } from "node:events";
import { request } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { serveUntil } from "../../src/cli/serve.ts";
import { listenOn, listenOnAll } from "../../src/http/listen.ts";
import { createServer } from "../../src/http/server.ts";
import { printed } from "../cli/run.ts";
import { eventsOf, postJson } from "../support/http.ts";
import { addPages, openRagline } from "../support/ragline.ts";
import { streaming, stubModel, wholeStream } from "../support/stub-model.ts";

const ADDRESSES = ["127.0.0.1", "::1"];
/** Without IPv6 there is one address. */
const hasBoth = await new Promise<boolean>((done) => {
  const probe = createTcpServer().once("error", () => done(false));
  probe.listen({ host: "::1", port: 0 }, () => probe.close(() => done(true)));
});
const SRC = resolve(import.meta.dirname, "../../src");

async function served() {
  const model = await stubModel(streaming(wholeStream(Array(40).fill(" 낱말")), { gapMs: 50 }));
  const opened = await openRagline({ generate: { use: "openai", baseUrl: model.url, model: "m", retries: 0 } });
  await addPages(opened.ragline);
  const app = await createServer(opened.ragline);
  onTestFinished(async () => {
    await app.close();
    await opened.close();
    await model.close();
  });
  return app;
}

/** Whether a connection is refused. */
async function isRefused(host: string, port: number): Promise<boolean> {
  const socket = connect(port, host);
  const refused = await new Promise<boolean>((done) => {
    socket.once("connect", () => done(false)).once("error", () => done(true));
  });
  socket.destroy();
  return refused;
}

test.runIf(hasBoth)(
  "at its end each address refuses connections at once, answers on those that are open, and answers to their end",
  async () => {
    const app = await served();
    await listenOnAll(app, ADDRESSES, 0);
    const { port } = app.server.address() as AddressInfo;
    const urls = [`http://127.0.0.1:${port}`, `http://[::1]:${port}`];
    const streams = await Promise.all(
      urls.map((url) => postJson(`${url}/v1/ask`, { question: "휴가?", cache: false })),
    );
    const kept = await Promise.all(
      ADDRESSES.map(async (host) => {
        const socket = connect(port, host);
        await once(socket, "connect");
        return socket;
      }),
    );
    const heard = kept.map(async (socket) => {
      let text = "";
      for await (const piece of socket.setEncoding("utf8")) text += piece;
      return text;
    });
    await sleep(50);
    const stop = new AbortController();
    let isOver = false;
    const over = serveUntil(app, stop.signal).then(() => {
      isOver = true;
    });
    stop.abort(new Error("stopped"));
    await sleep(20);
    for (const host of ADDRESSES) expect(await isRefused(host, port), host).toBe(true);
    for (const socket of kept) socket.write("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n");
    for (const text of await Promise.all(heard)) {
      expect(text).toMatch(/^HTTP\/1\.1 200 /);
      expect(text.toLowerCase()).toContain("connection: close");
    }
    await sleep(700);
    expect(isOver).toBe(false);
    const ends = await Promise.all(streams.map(async (stream) => (await eventsOf(stream)).at(-1)?.type));
    expect(ends).toEqual(["answer-end", "answer-end"]);
    await over;
  },
);

const LIMITED = `
const { createRagline } = await import(${JSON.stringify(`${SRC}/index.ts`)});
const { createServer } = await import(${JSON.stringify(`${SRC}/http/server.ts`)});
const { listenOnAll } = await import(${JSON.stringify(`${SRC}/http/listen.ts`)});
const ragline = await createRagline({ embed: { use: "hashing" }, generate: { use: "extractive" }, search: { file: process.argv[1] } });
const app = await createServer(ragline);
await listenOnAll(app, ["127.0.0.1", "::1"], 0);
console.log("port", app.server.address().port);
`;

test.runIf(hasBoth)(
  "the connections of all addresses together are bounded by the files that the process may have open",
  {
    timeout: 30_000,
  },
  async () => {
    const { folder, close } = await openRagline();
    onTestFinished(close);
    const script = ["-c", 'ulimit -n 128; exec "$0" "$@"', process.execPath, "--input-type=module", "-e", LIMITED];
    const child = spawn("bash", [...script, folder.file("limited.db")]);
    onTestFinished(() => void child.kill("SIGKILL"));
    const port = Number(/port (\d+)/.exec(await printed(child, /port \d+/))?.[1]);
    let closed = 0;
    for (let i = 0; i < 60; i++) {
      const socket = connect(port, ADDRESSES[i % 2]);
      onTestFinished(() => void socket.destroy());
      socket.on("error", () => undefined).once("close", () => closed++);
      // Begun, so that it is not idle.
      socket.write("GET /healthz HTTP/1.1\r\n");
      await Promise.race([once(socket, "connect"), once(socket, "close")]);
    }
    // Of 128 files 48 are the process's own; a third of the others are served, a ninth refused.
    await expect.poll(() => closed).toBe(60 - 26 - 8);
    await sleep(100);
    expect(closed).toBe(26);
  },
);

test("an address that is taken is an error, and one that this machine does not have is left out", async () => {
  const other = createTcpServer();
  other.listen(0, "::1");
  await once(other, "listening");
  onTestFinished(() => void other.close());
  const { port } = other.address() as AddressInfo;
  await expect(listenOnAll(await served(), ADDRESSES, port)).rejects.toMatchObject({ code: "EADDRINUSE" });
  const app = await served();
  await listenOnAll(app, ["127.0.0.1", "203.0.113.1"], 0);
  expect(app.listeners).toHaveLength(1);
});

test("localhost is listened on at each of its addresses", async () => {
  const app = await served();
  await listenOn(app, "localhost", 0);
  const { port } = app.server.address() as AddressInfo;
  const status = await new Promise((done, fail) => {
    request({ host: "localhost", port, path: "/healthz" }, ({ statusCode }) => done(statusCode))
      .once("error", fail)
      .end();
  });
  expect(status).toBe(200);
});
