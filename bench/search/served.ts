import { execFileSync, spawn } from "node:child_process";
import { copyFile, mkdir, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EMBEDDER, SCOPE } from "./ragline.ts";

export interface Served {
  /** From the start of the process to the first answer. */
  readonly readyMs: number;
  /** Megabytes, after a pause. */
  readonly rssMb: number;
  /** After as many searches over HTTP as there are questions, and a pause. */
  readonly rssSearchedMb: number;
}

const ROOT = resolve(import.meta.dirname, "../..");
const PAUSE_MS = 3000;

/** A whole `ragline serve` over `file`: the built code, the defaults but for the file and an embedder of the bench's dimensions. */
export async function serve(file: string, folder: string, questions: readonly string[]): Promise<Served> {
  const [bin, config] = await installed(folder, file);
  const startedAt = performance.now();
  const child = spawn(process.execPath, [bin, "-c", config, "serve", "--port", "0"], {
    cwd: folder,
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    let said = "";
    for await (const chunk of child.stdout) {
      said += String(chunk);
      if (said.includes("listening on")) break;
    }
    const address = said.match(/listening on (\S+);/)?.[1] ?? "";
    await ask(`${address}/v1/ask`, { question: questions[0] });
    const readyMs = Math.round(performance.now() - startedAt);
    await sleep(PAUSE_MS);
    const rssMb = rssMbOf(child.pid);
    for (const query of questions) await ask(`${address}/v1/search`, { query });
    await sleep(PAUSE_MS);
    return { readyMs, rssMb, rssSearchedMb: rssMbOf(child.pid) };
  } finally {
    child.kill();
  }
}

/** As a user has it, without the sources, which a checkout's own command would run. */
async function installed(folder: string, file: string): Promise<[bin: string, config: string]> {
  const [root, config] = [join(folder, "package"), join(folder, "ragline.yaml")];
  const bin = join(root, "bin/ragline.js");
  await mkdir(join(root, "bin"), { recursive: true });
  for (const name of ["dist", "node_modules", "package.json"]) {
    await symlink(join(ROOT, name), join(root, name)).catch(ifThere);
  }
  await copyFile(join(ROOT, "bin/ragline.js"), bin);
  const [embedder, dimensions] = EMBEDDER.split("/");
  const settings = {
    tenant: SCOPE.tenant,
    collection: SCOPE.collection,
    embed: { use: embedder, dimensions: Number(dimensions) },
    search: { file },
    session: { file },
    cache: { file },
    log: { level: "warn" },
  };
  // JSON is YAML.
  await writeFile(config, JSON.stringify(settings));
  return [bin, config];
}

function ifThere(thrown: NodeJS.ErrnoException): void {
  if (thrown.code !== "EEXIST") throw thrown;
}

/** @throws Error where there is no answer, or one without passages. */
async function ask(url: string, body: object): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok || !/"(?:hits|sources)":\[\{/.test(text))
    throw new Error(`${url}: ${response.status} ${text.slice(0, 300)}`);
}

function rssMbOf(pid: number | undefined): number {
  return Math.round(Number(execFileSync("ps", ["-o", "rss=", "-p", String(pid)], { encoding: "utf8" })) / 1024);
}
