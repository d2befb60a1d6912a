import { type ChildProcess, spawn } from "node:child_process";
import { resolve } from "node:path";

export const BIN = resolve(import.meta.dirname, "../../bin/ragline.js");

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `ragline` in a folder, without any configuration from the environment. */
export function start(cwd: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const { PATH = "", HOME = "", NODE_COMPILE_CACHE = "" } = process.env;
  return spawn(process.execPath, [BIN, ...args], { cwd, env: { PATH, HOME, NODE_COMPILE_CACHE, ...env } });
}

export function finish(child: ChildProcess): Promise<Finished> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((done) => child.on("close", (code) => done({ code, stdout, stderr })));
}

export function ragline(cwd: string, ...args: readonly string[]): Promise<Finished> {
  return finish(start(cwd, args));
}

/** Resolves with what was printed once it matches. */
export function printed(child: ChildProcess, pattern: RegExp): Promise<string> {
  let text = "";
  return new Promise((done, fail) => {
    child.on("close", () => fail(new Error(`ended before ${pattern} was printed: ${text}`)));
    child.stdout?.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      if (pattern.test(text)) done(text);
    });
  });
}

const NOT_INDEXED = "not ready: search: no documents are indexed; run `ragline index <path>`";

/** Whether it ended with 0, and its log has nothing worse than requests, and that nothing was indexed at first. */
export function endedWell({ code, stderr }: Finished): boolean {
  const lines = stderr.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
  return code === 0 && lines.every(({ level, msg }) => level <= 30 || msg === NOT_INDEXED);
}
