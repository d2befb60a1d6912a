import { type ChildProcess, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { resolve } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { folderForTest } from "../support/folder.ts";
import { BIN, printed } from "./run.ts";

const LOGGER = resolve(import.meta.dirname, "../../src/telemetry/logger.ts");
const FULL_DISK = "/dev/full";

/** Whose log nobody takes. */
function started(args: readonly string[], log: "pipe" | "full disk", cwd?: string) {
  const child = spawn(process.execPath, args, {
    ...(cwd && { cwd }),
    stdio: ["ignore", "pipe", log === "pipe" ? log : openSync(FULL_DISK, "w")],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

/** The child's exit code, and how long it took to end after it was told to. */
async function ended(child: ChildProcess) {
  const toldAt = performance.now();
  const code = await new Promise((done) => child.once("exit", done));
  return { code, ms: performance.now() - toldAt };
}

it.each(["pipe", "full disk"] as const)(
  "a server whose log fills a %s answers, and ends when told",
  {
    timeout: 30_000,
  },
  async (log) => {
    const folder = folderForTest();
    const server = started([BIN, "serve", "--port", "0"], log, folder.path);
    const url = /listening on (\S+);/.exec(await printed(server, /listening on (\S+);/))?.[1];
    // Some 200 bytes a line: more than a pipe holds.
    for (let i = 0; i < 2_000; i += 100) {
      await Promise.all(Array.from({ length: 100 }, async () => (await fetch(`${url}/v1/status`)).text()));
    }
    server.kill("SIGTERM");
    const { code, ms } = await ended(server);
    expect(code).toBe(0);
    expect(ms).toBeLessThan(5_000);
  },
);

const FLOOD = `
import { createLogger } from ${JSON.stringify(LOGGER)};
const log = createLogger("info", (line) => line);
const before = process.memoryUsage.rss();
for (let i = 0; i < 60_000; i++) {
  log.info({ text: "x".repeat(2_000) }, "line");
  if (i % 500 === 0) await new Promise((done) => setTimeout(done));
}
console.log((process.memoryUsage.rss() - before) / 1e6);
`;

it("lines that a full disk does not take are not kept without bound", { timeout: 30_000 }, async () => {
  const child = started(["--input-type=module", "-e", FLOOD], "full disk");
  const grownMb = Number(await printed(child, /\n/));
  expect((await ended(child)).code).toBe(0);
  // They are 120 MB.
  expect(grownMb).toBeLessThan(80);
});

const BACK = `
import { createLogger } from ${JSON.stringify(LOGGER)};
const log = createLogger("info", (line) => line);
for (let i = 0; i < 10_000; i++) log.info({ i, text: "x".repeat(2_000) }, "line");
console.log("written");
await new Promise((done) => setTimeout(done, 2_000));
log.info("last");
`;

it("a reader who comes back gets what waited, whole, and how many lines are lost", { timeout: 30_000 }, async () => {
  const child = started(["--input-type=module", "-e", BACK], "pipe");
  await printed(child, /written/);
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  await new Promise((done) => child.once("close", done));
  const lines = log
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const kept = lines.filter(({ msg }) => msg === "line").map(({ i }) => i);
  expect(kept).toEqual(Array.from(kept.keys()));
  expect(kept.length).toBeGreaterThan(1_000);
  expect(lines.map(({ msg }) => msg).filter((msg) => msg !== "line")).toEqual([
    `${10_000 - kept.length} lines of the log are lost: they were not taken, and too many waited`,
    "last",
  ]);
});
