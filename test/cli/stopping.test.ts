import { spawn } from "node:child_process";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { Agent, type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.ts";
import { eventsOf, postJson, textOf } from "../support/http.ts";
import { chunk, streaming, stubModel, wholeStream } from "../support/stub-model.ts";
import { BIN, finish, printed, ragline, start } from "./run.ts";

const indexed = temporaryFolder();
beforeAll(async () => {
  await mkdir(indexed.file("docs"));
  await writeFile(indexed.file("docs/휴가.md"), "# 휴가\n\n연차휴가는 1년에 15일입니다.\n");
  await ragline(indexed.path, "index", "docs");
});
afterAll(() => indexed.remove());

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

/** A server of one document, whose answers the model at `modelUrl` writes. */
async function serving(modelUrl: string) {
  await cp(indexed.path, folder.path, { recursive: true });
  const server = start(folder.path, ["serve", "--port", "0"], { OPENAI_BASE_URL: modelUrl, OPENAI_MODEL: "m" });
  const finished = finish(server);
  const url = /listening on (\S+);/.exec(await printed(server, /listening on (\S+);/))?.[1];
  return { server, finished, url };
}

it("SIGTERM under a stream that never ends: it ends with answer-error within the drain's bound, and the turn is kept", {
  timeout: 60_000,
}, async () => {
  const endless = Array.from({ length: 4_000 }, (_, i) => chunk.text(` 낱말${i}`));
  const upstream = await stubModel(streaming(endless, { gapMs: 20 }));
  const { server, finished, url } = await serving(upstream.url);
  const response = await postJson(`${url}/v1/ask`, { question: "연차휴가는 며칠인가요?", sessionId: "s" });
  const toldAt = performance.now();
  server.kill("SIGTERM");
  const events = await eventsOf(response);
  expect(performance.now() - toldAt).toBeLessThan(20_000);
  expect(textOf(events)).toContain("낱말10");
  expect(events.at(-1)).toMatchObject({
    type: "answer-error",
    error: { code: "cancelled", step: "generate", message: "The server is stopping; ask again." },
  });
  expect((await finished).code).toBe(0);
  await upstream.close();
});

/** Whether a connection to the port is refused. */
async function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const refused = await new Promise<boolean>((done) => {
    socket.once("connect", () => done(false)).once("error", () => done(true));
  });
  socket.destroy();
  return refused;
}

it("a connection that is kept open is answered once more after SIGTERM, and told to close; new ones are refused", async () => {
  const upstream = await stubModel(streaming(wholeStream(["15일입니다."])));
  const { server, finished, url } = await serving(upstream.url);
  const port = Number(new URL(url ?? "").port);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = () =>
    new Promise<{ head: IncomingMessage; text: string; isReused: boolean }>((done, fail) => {
      const asked = request({ port, host: "127.0.0.1", path: "/v1/ask", method: "POST", agent }, async (head) => {
        let text = "";
        for await (const piece of head.setEncoding("utf8")) text += piece;
        done({ head, text, isReused: asked.reusedSocket });
      });
      asked.setHeader("content-type", "application/json").on("error", fail);
      asked.end(JSON.stringify({ question: "연차휴가는 며칠인가요?" }));
    });
  expect((await ask()).head.headers.connection).toBe("keep-alive");
  server.kill("SIGTERM");
  for (let i = 0; i < 200 && !(await isRefused(port)); i++) await sleep(1);
  const { head, text, isReused } = await ask();
  expect(isReused).toBe(true);
  expect(head.headers.connection).toBe("close");
  expect(text).toContain("event: answer-end");
  expect((await finished).code).toBe(0);
  await upstream.close();
});

it.each([
  { told: ["SIGHUP", "SIGTERM"], code: 0, ends: "answer-end" },
  { told: ["SIGTERM", "SIGTERM", "SIGHUP"], code: 0, ends: "answer-end" },
  { told: ["SIGINT", "SIGINT"], code: 130, ends: "nothing" },
  { told: ["SIGTERM", "SIGINT"], code: 130, ends: "nothing" },
] as const)(
  "$told under a stream: it ends with $ends, the process with $code",
  { timeout: 60_000 },
  async (expected) => {
    const words = Array.from({ length: 100 }, (_, i) => ` 낱말${i}`);
    const upstream = await stubModel(streaming(wholeStream(words), { gapMs: 20 }));
    const { server, finished, url } = await serving(upstream.url);
    const response = await postJson(`${url}/v1/ask`, { question: "연차휴가는 며칠인가요?" });
    const ending = eventsOf(response).then(
      (events) => events.at(-1)?.type,
      () => "nothing",
    );
    for (const name of expected.told) {
      server.kill(name);
      await sleep(200);
    }
    expect(await ending).toBe(expected.ends);
    expect((await finished).code).toBe(expected.code);
    await upstream.close();
  },
);

it.each(["http/protobuf", "grpc"])(
  "a collector that takes connections and never answers, over %s, holds up nobody",
  {
    timeout: 60_000,
  },
  async (protocol) => {
    let connections = 0;
    const silent = createServer((socket) => {
      connections++;
      socket.on("error", () => undefined).resume();
    });
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const telemetry = { traces: "otlp", protocol, endpoint, sampling: 1 };
    await writeFile(folder.file("ragline.yaml"), JSON.stringify({ telemetry }));
    const server = start(folder.path, ["serve", "--port", "0"]);
    const finished = finish(server);
    const url = /listening on (\S+);/.exec(await printed(server, /listening on (\S+);/))?.[1];
    await eventsOf(await postJson(`${url}/v1/ask`, { question: "연차휴가는 며칠인가요?" }));
    const toldAt = performance.now();
    server.kill("SIGTERM");
    const { code, stderr } = await finished;
    silent.close();
    expect(code).toBe(0);
    const warnings = stderr.split("\n").filter((line) => line.includes('"level":40'));
    expect(warnings.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ msg: expect.stringMatching(/^not ready: search: no documents/) }),
      expect.objectContaining({
        spans: expect.any(Number),
        msg: "telemetry.endpoint did not take the last spans in time; they are lost",
      }),
    ]);
    expect(JSON.parse(warnings[1] ?? "{}").spans).toBeGreaterThan(5);
    // It takes 1.5 s; further tries would take 5 s and a connection of their own.
    expect(performance.now() - toldAt).toBeLessThan(10_000);
    expect(connections).toBe(1);
  },
);

const IN_TERMINAL = `
import os, pty, signal, sys
child, terminal = pty.fork()
if child == 0: os.execv(sys.argv[1], sys.argv[1:])
text = b""
while b"Ctrl-C stops" not in text: text += os.read(terminal, 4096)
print(text.decode(), flush=True)
for line in sys.stdin: os.kill(child, signal.SIGHUP)
os.close(terminal)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
`;

it("its terminal is gone: a request that is under way is answered, logged nowhere, and the process ends", {
  timeout: 60_000,
}, async () => {
  const upstream = await stubModel(streaming(wholeStream(Array(60).fill(" 낱말")), { gapMs: 20 }));
  await cp(indexed.path, folder.path, { recursive: true });
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  const env = { PATH, NODE_COMPILE_CACHE, OPENAI_BASE_URL: upstream.url, OPENAI_MODEL: "m" };
  const args = ["-c", IN_TERMINAL, process.execPath, BIN, "serve", "--port", "0"];
  const server = spawn("python3", args, { cwd: folder.path, env });
  const finished = finish(server);
  const url = /listening on (\S+);/.exec(await printed(server, /listening on (\S+);/))?.[1];
  server.stdin.write("hang up, as an operator does while the terminal is there\n");
  await sleep(200);
  const response = await postJson(`${url}/v1/ask`, { question: "연차휴가는 며칠인가요?" });
  server.stdin.end();
  expect((await eventsOf(response)).at(-1)?.type).toBe("answer-end");
  expect((await finished).code).toBe(0);
  await upstream.close();
});
