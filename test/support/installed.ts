import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where servers that tests start are kept from one run to the next; root's are for users whom its home is closed to. */
const SERVERS =
  process.env.RAGLINE_SERVERS ??
  (process.getuid?.() === 0 ? "/var/cache/ragline/servers" : join(homedir(), ".cache/ragline/servers"));

/** Something to test against, or why it is not here. */
export type Found<T> =
  | { readonly there: T; readonly missing: null }
  | { readonly there: null; readonly missing: string };

export function found<T>(what: string, look: () => T): Found<T> {
  try {
    return { there: look(), missing: null };
  } catch (thrown) {
    const [reason = ""] = String(thrown instanceof Error ? thrown.message : thrown).split("\n");
    return { there: null, missing: `no ${what} here: ${reason}` };
  }
}

/** A folder that `fill` has filled, once; what a run that was stopped left is thrown away. */
export function keptFolder(name: string, fill: (folder: string) => void): string {
  const folder = join(SERVERS, name);
  const done = join(folder, ".complete");
  if (existsSync(done)) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  fill(folder);
  writeFileSync(done, "");
  return folder;
}

/** Packages of PyPI in an environment of their own. Returns their folder. */
export function pythonPackages(name: string, packages: readonly string[]): string {
  const folder = keptFolder(name, (venv) => {
    const quiet = { stdio: "pipe", timeout: 240_000 } as const;
    execFileSync("python3", ["-m", "venv", venv], quiet);
    execFileSync(join(venv, "bin/pip"), ["install", "-q", ...packages], quiet);
  });
  const lib = join(folder, "lib");
  const [python] = readdirSync(lib);
  if (python === undefined) throw new Error(`${lib} is empty`);
  return join(lib, python, "site-packages");
}

/** A program of a Debian package, installed where that may be. */
export function debianProgram(program: string, debianPackage: string): string {
  const there = () => {
    try {
      return execFileSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).trim();
    } catch {
      return null;
    }
  };
  const path = there();
  if (path !== null) return path;
  if (process.getuid?.() !== 0) throw new Error(`no right to install it: apt-get install ${debianPackage}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  execFileSync("apt-get", ["update", "-q"], { stdio: "ignore", env, timeout: 120_000 });
  execFileSync("apt-get", ["install", "-yq", debianPackage], { stdio: "ignore", env, timeout: 180_000 });
  const installed = there();
  if (installed === null) throw new Error(`${debianPackage} brings no ${program}`);
  return installed;
}
