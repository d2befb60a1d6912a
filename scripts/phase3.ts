import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, styleText } from "node:util";
import { askOver, ready } from "./phase3/asking.ts";
import { freePort, runToEnd, type Started, startProcess, startRedis } from "./phase3/processes.ts";

const HELP = `npm run phase3 [-- options]

Every stage a process of its own on this machine: Redis, a search stage, 2 embedders, 2 rerankers, a generator, and 2 processes that
answer over HTTP. Indexes the handbook, asks the demo's questions through both, one conversation alternating between them, and
goes on serving until Ctrl-C. The configurations are those of deploy/. Needs redis-server 7 (apt-get install redis-server).

  --once       stop after the questions; exit code 1 where one was not answered
  --extractive answers are quoted, though a language model is here
  --help       this text

With ../shared/models (RAGLINE_SHARED) the embedders run multilingual-e5-small; with SmolLM2 in ~/.cache/ragline/models (RAGLINE_MODELS)
the generator runs that, otherwise it quotes. Rerankers are lexical: no cross-encoder's weights are at hand.
`;
const { values: options } = parseArgs({
  options: {
    once: { type: "boolean", default: false },
    extractive: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const ROOT = join(import.meta.dirname, "..");
const DEPLOY = join(ROOT, "deploy");
const E5 = join(process.env.RAGLINE_SHARED ?? join(ROOT, "../shared"), "models/multilingual-e5-small-ko-en");
const SMOLLM2 = join(
  process.env.RAGLINE_MODELS ?? join(homedir(), ".cache/ragline/models"),
  "SmolLM2-135M-Instruct.Q4_1.gguf",
);
const CONVERSATION = ["연차휴가는 1년에 며칠인가요?", "이월은 며칠까지 되나요?", "언제까지 써야 하나요?"];
const QUESTIONS = ["법인카드 영수증은 언제까지 등록해야 하나요?", "How do I report a lost laptop?"];

if (options.help) console.log(HELP);
else await main();

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "ragline-phase-3-"));
  const started: Started[] = [];
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort());
  try {
    const urls = await startAll(folder, started, stop.signal);
    const unanswered = await askAll(urls);
    console.log(`\n${started.length} processes; ${unanswered} questions without an answer`);
    if (options.once) process.exitCode = unanswered === 0 ? 0 : 1;
    else {
      console.log(`answering on ${urls.join(" and ")} until Ctrl-C`);
      if (!stop.signal.aborted) await new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
    }
  } catch (thrown) {
    if (!stop.signal.aborted) throw thrown;
  } finally {
    // Those who ask before those who are asked.
    for (const one of started.toReversed()) await one.stop();
    await rm(folder, { recursive: true, force: true });
    console.log("all processes have ended");
  }
}

async function startAll(folder: string, started: Started[], signal: AbortSignal): Promise<string[]> {
  const redis = await startRedis(folder);
  started.push(redis);
  const isE5 = existsSync(E5);
  const isSmol = !options.extractive && existsSync(SMOLLM2);
  console.log(`embedders: ${isE5 ? "multilingual-e5-small" : "static table"}; rerankers: lexical`);
  console.log(`generator: ${isSmol ? "SmolLM2-135M-Instruct" : "extractive"}\n`);
  const embed = isE5 ? `{ use: onnx, model: ${JSON.stringify(E5)}, threads: 1 }` : "{ use: static }";
  const generate = isSmol
    ? `{ use: llama, model: ${JSON.stringify(SMOLLM2)}, contextTokensMax: 2048, threads: 1 }`
    : "{ use: extractive }";
  const ports: Record<string, string> = { RAGLINE_REDIS: redis.url, RAGLINE_DATA: folder };
  const stages = [
    ["search", "RAGLINE_SEARCH_1", join(DEPLOY, "stages/search.yaml")],
    ["embed", "RAGLINE_EMBED_1", await written(folder, "embed", `embed: ${embed}\n`)],
    ["embed", "RAGLINE_EMBED_2", await written(folder, "embed", `embed: ${embed}\n`)],
    ["rerank", "RAGLINE_RERANK_1", join(DEPLOY, "stages/rerank.yaml")],
    ["rerank", "RAGLINE_RERANK_2", join(DEPLOY, "stages/rerank.yaml")],
    ["generate", "RAGLINE_GENERATE_1", await written(folder, "generate", `generate: ${generate}\n`)],
  ] as const;
  const environment = { RAGLINE_DATA: folder };
  await Promise.all(
    stages.map(async ([step, name, config]) => {
      const port = await freePort();
      const address = ["--host", "127.0.0.1", "--port", String(port)];
      const args = ["stage", step, "--config", config, ...address];
      started.push(await startProcess(name.slice("RAGLINE_".length).toLowerCase(), args, /^serving$/m, environment));
      ports[name] = `127.0.0.1:${port}`;
    }),
  );
  signal.throwIfAborted();
  const config = isSmol ? await forSmolLm2(folder) : join(DEPLOY, "phase-3.yaml");
  const handbook = join(ROOT, "examples/handbook");
  console.log(await runToEnd("index", ["index", handbook, "--config", config], { ...ports, RAGLINE_DATA: folder }));
  signal.throwIfAborted();
  const urls: string[] = [];
  for (const name of ["ask_1", "ask_2"]) {
    const own = { ...ports, RAGLINE_DATA: join(folder, name) };
    await written(own.RAGLINE_DATA, "", "");
    const args = ["serve", "--config", config, "--host", "127.0.0.1", "--port", "0"];
    const answering = await startProcess(name, args, /listening on (\S+);/, own);
    started.push(answering);
    urls.push(answering.said);
  }
  for (const url of urls) await ready(url, signal);
  return urls;
}

/** A small model on a CPU reads slowly: shorter prompts, longer limits, counted by its own tokenizer. */
async function forSmolLm2(folder: string): Promise<string> {
  const phase3 = await readFile(join(DEPLOY, "phase-3.yaml"), "utf8");
  const patient = phase3
    .replace(/^generate: \{ (.*) \}$/m, "generate: { $1, firstTokenTimeoutMs: 110000, silenceTimeoutMs: 60000 }")
    .replace(/^server: {3}\{ (.*) \}$/m, "server:   { $1, timeoutMs: 120000 }");
  const prompt = `{ tokenizerFile: ${JSON.stringify(SMOLLM2)}, preRotTokens: 1500, expectedOutputTokens: 96 }`;
  return written(folder, "phase-3", `${patient}prompt: ${prompt}\n`);
}

async function written(folder: string, name: string, text: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, `${name || "empty"}.yaml`);
  await writeFile(file, text);
  return file;
}

/** @returns how many were not answered. */
async function askAll(urls: readonly string[]): Promise<number> {
  let unanswered = 0;
  const show = async (url: string, question: string, sessionId?: string) => {
    console.log(styleText("bold", `\n${new URL(url).host} ${sessionId ? "(conversation) " : ""}${question}`));
    const { text, failure, timings, degraded, id } = await askOver(url, question, sessionId);
    if (failure) unanswered++;
    console.log(failure ?? text);
    const times = Object.entries(timings).map(([step, ms]) => `${step} ${ms.toFixed(1)}`);
    console.log(styleText("dim", `  ms: ${times.join(", ")}${degraded ? `; degraded: ${degraded}` : ""}`));
    return id;
  };
  for (const url of urls) for (const question of QUESTIONS) await show(url, question);
  let sessionId: string | undefined;
  for (const [i, question] of CONVERSATION.entries()) {
    const url = urls[i % urls.length] ?? "";
    sessionId = await show(url, question, sessionId);
  }
  return unanswered;
}
