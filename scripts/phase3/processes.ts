import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

export interface Started {
  readonly name: string;
  readonly pid: number;
  /** What it said when it was up, or the part of it that was asked for. */
  readonly said: string;
  /** Asks it to end, and ends it where it does not. */
  stop(): Promise<void>;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
}

const BIN = join(import.meta.dirname, "../../bin/ragline.js");
const START_MS = 120_000;
const STOP_MS = 15_000;

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

export function sayUp(name: string, pid: number): void {
  console.log(`${name} is up (${pid})`);
}

/** A command of Ragline; resolves once it has said that it is up. It does not hear the terminal's Ctrl-C: its parent stops it in order. */
export async function startProcess(
  name: string,
  args: readonly string[],
  isUp: RegExp,
  environment: Readonly<Record<string, string>>,
): Promise<Started> {
  const child = spawn(process.execPath, [BIN, ...args], {
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
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    if (child.exitCode === null && child.signalCode === null) await gone;
    clearTimeout(late);
  };
  const stop = () => end("SIGTERM");
  try {
    const said = await up.promise;
    const pid = child.pid ?? 0;
    sayUp(name, pid);
    return { name, pid, said, stop, kill: () => end("SIGKILL") };
  } catch (thrown) {
    await stop();
    throw thrown;
  } finally {
    clearTimeout(timer);
  }
}
