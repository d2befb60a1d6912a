import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { Session } from "node:inspector/promises";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { pino } from "pino";
import { answerParent, processUsage } from "./child.ts";
import { DIMENSIONS, DOCUMENTS_DEFAULT, documentsOf } from "./corpus.ts";

/** Ragline as it is served, over the stages: everything at its default except where embedding, reranking and answers come from. */
const [, , stages = "", cacheUse = "sqlite", build = "src", passages = DOCUMENTS_DEFAULT, more = "{}"] = process.argv;
/** Documents that are indexed at the same time. */
const AT_ONCE = 16;
const documents = documentsOf(Number(passages));
const { createRagline } = (await load("index")) as typeof import("../src/index.ts");
const { createServer } = (await load("http/server")) as typeof import("../src/http/server.ts");

// As `ragline serve` does; absent in older checkouts.
const serving = (await load("cli/garbage-collection").catch(() => null)) as
  | typeof import("../src/cli/garbage-collection.ts")
  | null;
serving?.collectForServing();

const folder = await mkdtemp(join(tmpdir(), "ragline-bench-"));
const file = join(folder, "bench.db");
const { log = {}, ...changes } = JSON.parse(more);
const level = log.level ?? "info";
// As a server writes it, but that nobody reads it.
const logger = pino({ level }, pino.destination("/dev/null"));
const configuration = {
  session: { file },
  cache: cacheUse === "none" ? { use: "none" } : { use: "sqlite", file },
  search: { file },
  embed: { use: "openai", baseUrl: `${stages}/v1`, model: "bench", dimensions: DIMENSIONS },
  rerank: { use: "tei", baseUrl: stages },
  // Said outright, so that figures stay comparable whatever the defaults become: a model of this name is unknown, and would be
  // counted by bytes; and follow-ups would ask it once more.
  generate: { use: "openai", baseUrl: `${stages}/v1`, model: "bench" },
  prompt: { counter: "o200k_base" },
  rewrite: { use: "rules" },
  ...changes,
};
const ragline = await createRagline(configuration, { log: logger });
const server = await createServer(ragline);
const profiler = new Session();

const commands = {
  async listen(): Promise<string> {
    for (let n = 0; n < documents.length; n += AT_ONCE) {
      const some = documents.slice(n, n + AT_ONCE);
      await Promise.all(some.map((document) => ragline.addDocument({ ...document, format: "text" })));
    }
    await ragline.warm();
    const indexed = (await ragline.status()).passages;
    if (indexed !== documents.length) throw new Error(`${indexed} passages are indexed, not ${documents.length}`);
    return server.listen({ port: 0, host: "127.0.0.1" });
  },
  usage: processUsage,
  async startProfile(): Promise<void> {
    profiler.connect();
    await profiler.post("Profiler.enable");
    await profiler.post("Profiler.setSamplingInterval", { interval: 250 });
    await profiler.post("Profiler.start");
  },
  async stopProfile(path: string): Promise<void> {
    const { profile } = await profiler.post("Profiler.stop");
    profiler.disconnect();
    await writeFile(path, JSON.stringify(profile));
  },
};
export type RaglineCommands = typeof commands;

answerParent(commands, async () => {
  server.server.closeAllConnections();
  await server.close();
  await ragline.close();
  await rm(folder, { recursive: true, force: true });
});

/** A module of the source tree, of the built package, or of another checkout's sources. */
function load(module: string): Promise<unknown> {
  if (isAbsolute(build)) return import(`${build}/${module}.ts`);
  return import(build === "dist" ? `../dist/${module}.js` : `../src/${module}.ts`);
}
