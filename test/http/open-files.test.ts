import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { Agent, get } from "node:http";
import { resolve } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { connectionsOf } from "../../src/open-files.ts";
import { BIN, printed, ragline } from "../cli/run.ts";
import { folderForTest } from "../support/folder.ts";
import { eventsOf, postJson } from "../support/http.ts";
import { freePort } from "../support/redis.ts";
import { streaming, stubModel, wholeStream } from "../support/stub-model.ts";

const POST = resolve(import.meta.dirname, "../../src/adapters/http/post.ts");
const OPEN_FILES_MAX = 128;
const CLIENTS = 200;
/** A third of the 80 that the process does not need itself. */
const SERVED = 26;

it.each([
  [0, 2, 1],
  [80, 26, 8],
  [208, 69, 23],
  [4048, 1349, 449],
  [19_952, 15_344, 512],
  [1_048_528, 1_043_920, 512],
])(
  "of %d free files %d are for connections that are served, %d for those that are refused",
  (free, servedMax, refusedMax) => {
    expect(connectionsOf(free)).toEqual({ servedMax, refusedMax });
  },
);

/** What became of a question: `answer-end`, `answer-error` with its code, a refusal's code, or that it was cut. */
async function outcomeOf(url: string): Promise<string> {
  try {
    const response = await postJson(`${url}/v1/ask`, { question: "연차휴가는 며칠인가요?", cache: false });
    if (response.status !== 200) {
      const { error } = (await response.json()) as { error: { code: string } };
      return `${response.status} ${error.code}, again after ${response.headers.get("retry-after")} s`;
    }
    const last = (await eventsOf(response)).at(-1);
    return last?.type === "answer-error" ? `answer-error ${last.error.code}` : String(last?.type);
  } catch {
    return "cut";
  }
}

/** A server of one document that may have `OPEN_FILES_MAX` files open. */
async function limitedServer() {
  const upstream = await stubModel(
    streaming(wholeStream(Array.from({ length: 40 }, (_, i) => ` 낱말${i}`)), { gapMs: 50 }),
  );
  onTestFinished(() => upstream.close());
  const folder = folderForTest();
  await writeFile(folder.file("휴가.md"), "# 휴가\n\n연차휴가는 1년에 15일입니다.\n");
  await ragline(folder.path, "index", "휴가.md");
  const probesPort = await freePort();
  const generate = { use: "openai", baseUrl: upstream.url, model: "m", contextTokensMax: 8192 };
  await writeFile(folder.file("ragline.yaml"), JSON.stringify({ generate, server: { port: 0, probesPort } }));
  const limited = `ulimit -n ${OPEN_FILES_MAX}; exec "$0" "$@"`;
  const child = spawn("bash", ["-c", limited, process.execPath, BIN, "serve"], { cwd: folder.path });
  onTestFinished(() => void child.kill("SIGKILL"));
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const url = /listening on (\S+);/.exec(await printed(child, /listening on (\S+);/))?.[1] ?? "";
  return { url, probesPort, log: () => log };
}

it("more clients than the process may have files open: some are answered, the others refused, probes and the model are reached", {
  timeout: 60_000,
}, async () => {
  const { url, probesPort, log } = await limitedServer();
  const asked = Promise.all(Array.from({ length: CLIENTS }, () => outcomeOf(url)));
  await new Promise((done) => setTimeout(done, 1_000));
  expect((await fetch(`http://127.0.0.1:${probesPort}/readyz`)).status).toBe(200);

  const outcomes = Map.groupBy(await asked, (outcome) => outcome);
  expect([...outcomes.keys()]).toEqual(expect.arrayContaining(["answer-end", "503 overloaded, again after 1 s"]));
  expect([...outcomes.keys()].filter((outcome) => outcome.startsWith("answer-error"))).toEqual([]);
  expect(outcomes.get("answer-end")?.length).toBeGreaterThanOrEqual(SERVED);
  expect(log().match(/raise the limit of open files/g)).toHaveLength(1);
  expect(log()).toContain(`"openFilesMax":${OPEN_FILES_MAX},"connectionsMax":${SERVED}`);
  expect(await outcomeOf(url)).toBe("answer-end");
});

/** The status of a request, whose connection is kept open. */
function statusKept(url: string, agent: Agent): Promise<number | undefined> {
  return new Promise((done, fail) => {
    get(`${url}/v1/status`, { agent }, (response) => {
      response.resume().once("end", () => done(response.statusCode));
    }).once("error", fail);
  });
}

it("connections that are kept open and idle make room for others", { timeout: 60_000 }, async () => {
  const { url, log } = await limitedServer();
  for (let i = 0; i < 2 * SERVED; i++) {
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    expect(await statusKept(url, agent)).toBe(200);
  }
  expect(log()).not.toContain("connections are refused");
});

const NONE_LEFT = `
import { openSync } from "node:fs";
import { Endpoint, post } from ${JSON.stringify(POST)};
const signal = new AbortController().signal;
const call = () => post(new Endpoint("http://127.0.0.1:9/"), {}, signal).catch(({ code }) => code);
const answers = [await call()];
try {
  for (;;) openSync("/dev/null", "r");
} catch {}
answers.push(await call());
console.log(answers.join(" "));
`;

it("a call for which the process has no file left is no failure of who is called", async () => {
  const script = ["-c", 'ulimit -n 64; exec "$0" "$@"', process.execPath, "--input-type=module", "-e", NONE_LEFT];
  expect(await printed(spawn("bash", script), /\n/)).toBe("dependency_failed overloaded\n");
});
