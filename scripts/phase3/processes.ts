import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";

export interface Started {
  readonly name: string;
  /** What it said when it was up, or the part of it that was asked for. */
  readonly said: string;
  /** Asks it to end, and ends it where it does not. */
  stop(): Promise<void>;
}

const BIN = join(import.meta.dirname, "../../bin/ragline.js");
const START_MS = 120_000;
const STOP_MS = 15_000;

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || address === null) throw new Error("no free port");
  return address.port;
}

export async function startRedis(folder: string): Promise<Started & { readonly url: string }> {
  const port = await freePort();
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "yes"];
  const started = await start("redis", "redis-server", args, /Ready to accept connections/, {});
  return { ...started, url: `redis://127.0.0.1:${port}` };
}

export function startProcess(
  name: string,
  args: readonly string[],
  isUp: RegExp,
  environment: Readonly<Record<string, string>>,
): Promise<Started> {
  return start(name, process.execPath, [BIN, ...args], isUp, environment);
}

/** What one command said last. @throws Error it failed. */
export async function runToEnd(
  name: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawn(process.execPath, [BIN, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...environment },
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk;
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${name} failed: ${output.slice(-2000)}`);
  return output.trim().split("\n").at(-1) ?? "";
}

/** Resolves once it has said that it is up. It does not hear the terminal's Ctrl-C: its parent stops it in order. */
async function start(
  name: string,
  program: string,
  args: readonly string[],
  isUp: RegExp,
  environment: Readonly<Record<string, string>>,
): Promise<Started> {
  const child = spawn(program, args, {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    env: { ...process.env, ...environment },
  });
  const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
  let output = "";
  const up = Promise.withResolvers<string>();
  const fail = (why: string) => up.reject(new Error(`${name}: ${why}\n${output.slice(-2000)}`));
  const read = (chunk: Buffer) => {
    output = (output + chunk).slice(-20_000);
    const found = output.match(isUp);
    if (found) up.resolve(found[1] ?? found[0]);
  };
  child.stdout.on("data", read);
  child.stderr.on("data", read);
  child.once("error", (error) => fail(error.message));
  child.once("close", () => fail("ended before it was up"));
  const timer = setTimeout(() => fail(`not up within ${START_MS} ms`), START_MS);
  const stop = async () => {
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    if (child.exitCode === null && child.signalCode === null) await gone;
    clearTimeout(late);
  };
  try {
    const said = await up.promise;
    console.log(`${name} is up (${child.pid})`);
    return { name, said, stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  } finally {
    clearTimeout(timer);
  }
}
