import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { GATEWAYS, type GatewayKind, startGateway } from "../../test/support/gateway.ts";
import { debianProgram, found } from "../../test/support/installed.ts";
import { freePort, type RedisServer, redisMissing } from "../../test/support/redis.ts";
import { startSentinels } from "../../test/support/sentinels.ts";
import { ready } from "./asking.ts";
import { runToEnd, type Started, sayUp, startProcess } from "./processes.ts";

export type Engine = "postgres" | "opensearch";

export interface Orchestrator {
  readonly name: string;
  readonly url: string;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again at its address; resolves when it can answer. */
  restart(): Promise<void>;
}

export interface Phase3 {
  /** Of the gateway. */
  readonly url: string;
  readonly processes: number;
  readonly orchestrators: readonly [Orchestrator, Orchestrator];
  /** The first is the master at the start. */
  readonly redis: readonly RedisServer[];
}

export interface Phase3Options {
  readonly engine: Engine;
  /** Answers are quoted, though a language model is here. */
  readonly extractive: boolean;
  /** For files of the processes. */
  readonly folder: string;
  readonly signal: AbortSignal;
  /** What is called at the end, last first; also where starting fails. */
  readonly ends: (() => Promise<void>)[];
}

const ROOT = join(import.meta.dirname, "../..");
const DEPLOY = join(ROOT, "deploy");
const E5 = join(process.env.RAGLINE_SHARED ?? join(ROOT, "../shared"), "models/multilingual-e5-small-ko-en");
const SMOLLM2 = join(
  process.env.RAGLINE_MODELS ?? join(homedir(), ".cache/ragline/models"),
  "SmolLM2-135M-Instruct.Q4_1.gguf",
);
const STAGES = ["embed", "rerank", "generate"] as const;

/** @throws Error a program is missing, or a process did not come up */
export async function startPhase3(options: Phase3Options): Promise<Phase3> {
  const { engine, folder, signal, ends } = options;
  const gatewayKind = gatewayHere();
  const sentinel = found("redis-sentinel", () => debianProgram("redis-sentinel", "redis-sentinel"));
  const missing = redisMissing ?? sentinel.missing;
  if (missing !== null) throw new Error(missing);
  const isSmol = !options.extractive && existsSync(SMOLLM2);
  const sentinels = await startSentinels();
  ends.push(sentinels.close);
  for (const [i, { pid }] of sentinels.servers.entries()) sayUp(i === 0 ? "redis_1 (master)" : `redis_${i + 1}`, pid);
  for (const [i, { pid }] of sentinels.sentinels.entries()) sayUp(`sentinel_${i + 1}`, pid);
  signal.throwIfAborted();
  const database = await ENGINES[engine](ends);
  signal.throwIfAborted();
  const stages = await startStages(folder, ends, isSmol);
  signal.throwIfAborted();
  const environment = {
    ...stages,
    RAGLINE_REDIS: sentinels.url,
    RAGLINE_DATABASE: database,
    RAGLINE_OPENSEARCH: database,
  };
  const config = await configuration(folder, engine, isSmol);
  const index = ["index", join(ROOT, "examples/handbook"), "--config", config];
  console.log(await runToEnd("index", index, { ...environment, RAGLINE_DATA: folder }));
  signal.throwIfAborted();
  const ports = [await freePort(), await freePort()] as const;
  const start = (i: 0 | 1) => orchestrator(`ask_${i + 1}`, ports[i], config, environment, options);
  const orchestrators = await Promise.all([start(0), start(1)]);
  const gateway = await startGateway(gatewayKind, ports);
  ends.push(gateway.close);
  sayUp(`gateway (${gatewayKind.name})`, gateway.pid);
  const processes = sentinels.servers.length + sentinels.sentinels.length + Object.keys(stages).length + 4;
  return { url: gateway.url, processes, orchestrators, redis: sentinels.servers };
}

function gatewayHere(): GatewayKind {
  const here = GATEWAYS.find(({ program }) => program.there !== null);
  if (!here) throw new Error(GATEWAYS.map(({ program }) => program.missing).join("\n"));
  return here;
}

/** Imported when chosen: what is not here is installed by that, where it can be. Each returns its URL. */
const ENGINES: Readonly<Record<Engine, (ends: Phase3Options["ends"]) => Promise<string>>> = {
  async postgres(ends) {
    const { postgresMissing, startPostgres } = await import("../../test/support/postgres.ts");
    if (postgresMissing !== null) throw new Error(postgresMissing);
    const server = await startPostgres();
    ends.push(server.close);
    sayUp("postgres", server.pid);
    return server.url;
  },
  async opensearch(ends) {
    const { openSearch, startOpenSearch } = await import("../../test/support/opensearch.ts");
    if (openSearch.missing !== null) throw new Error(openSearch.missing);
    const cluster = await startOpenSearch();
    ends.push(cluster.close);
    sayUp("opensearch", cluster.nodes[0]?.pid ?? 0);
    return cluster.url;
  },
};

/** Two of each. Returns their addresses by the variables of phase-3.yaml. */
async function startStages(
  folder: string,
  ends: Phase3Options["ends"],
  isSmol: boolean,
): Promise<Record<string, string>> {
  const isE5 = existsSync(E5);
  console.log(`embedders: ${isE5 ? "multilingual-e5-small" : "static table"}; rerankers: lexical`);
  console.log(`generators: ${isSmol ? "SmolLM2-135M-Instruct" : "extractive"}`);
  const embed = `embed: { use: onnx, model: ${JSON.stringify(E5)}, threads: 1 }\n`;
  const model = `{ use: llama, model: ${JSON.stringify(SMOLLM2)}, contextTokensMax: 2048, threads: 1 }`;
  const deployed = (stage: string) => join(DEPLOY, `stages/${stage}.yaml`);
  const configs = {
    embed: isE5 ? await written(folder, "embed", embed) : deployed("embed"),
    rerank: deployed("rerank"),
    generate: isSmol ? await written(folder, "generate", `generate: ${model}\n`) : deployed("generate"),
  };
  const starting = STAGES.flatMap((stage) =>
    [1, 2].map(async (i) => {
      const port = await freePort();
      const args = ["stage", stage, "--config", configs[stage], "--host", "127.0.0.1", "--port", String(port)];
      const started = await startProcess(`${stage}_${i}`, args, /^serving$/m, { RAGLINE_DATA: folder });
      ends.push(started.stop);
      return [`RAGLINE_${stage}_${i}`.toUpperCase(), `127.0.0.1:${port}`] as const;
    }),
  );
  const settled = await Promise.allSettled(starting);
  for (const one of settled) if (one.status === "rejected") throw one.reason;
  return Object.fromEntries(await Promise.all(starting));
}

async function orchestrator(
  name: string,
  port: number,
  config: string,
  environment: Readonly<Record<string, string>>,
  { folder, signal, ends }: Phase3Options,
): Promise<Orchestrator> {
  const data = join(folder, name);
  await mkdir(data);
  const args = ["serve", "--config", config, "--host", "127.0.0.1", "--port", String(port)];
  const url = `http://127.0.0.1:${port}`;
  let running: Started | undefined;
  ends.push(async () => running?.stop());
  const restart = async () => {
    running = await startProcess(name, args, /listening on (\S+);/, { ...environment, RAGLINE_DATA: data });
    await ready(url, signal);
  };
  await restart();
  return { name, url, restart, kill: async () => running?.kill() };
}

/** deploy/phase-3.yaml, with the engine and, for a small model on a CPU, which reads slowly, shorter prompts and longer limits. */
async function configuration(folder: string, engine: Engine, isSmol: boolean): Promise<string> {
  const file = join(DEPLOY, "phase-3.yaml");
  if (engine === "postgres" && !isSmol) return file;
  let text = await readFile(file, "utf8");
  if (engine === "opensearch")
    text = text.replace(/^search: .*$/m, 'search: { use: opensearch, url: "${RAGLINE_OPENSEARCH}" }');
  if (isSmol) {
    const prompt = `{ tokenizerFile: ${JSON.stringify(SMOLLM2)}, preRotTokens: 1500, expectedOutputTokens: 96 }`;
    text = text
      .replace(/^generate: \{ (.*) \}$/m, "generate: { $1, firstTokenTimeoutMs: 110000, silenceTimeoutMs: 60000 }")
      .replace(/^server: {3}\{ (.*) \}$/m, "server:   { $1, timeoutMs: 120000 }")
      .concat(`prompt: ${prompt}\n`);
  }
  return written(folder, "phase-3", text);
}

async function written(folder: string, name: string, text: string): Promise<string> {
  const file = join(folder, `${name}.yaml`);
  await writeFile(file, text);
  return file;
}
