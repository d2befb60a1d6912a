import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { Child } from "./child.ts";
import { canPin, LOAD_CORE, SYSTEM_CORE } from "./cores.ts";
import { DOCUMENTS_DEFAULT } from "./corpus.ts";
import type { LoadCommands } from "./load.ts";
import type { RaglineCommands } from "./ragline.ts";
import type { SystemCommands } from "./relay.ts";
import { printReport, type Report } from "./report.ts";
import { type Bench, measureLatency, measureThroughput, type Run, type Target } from "./scenarios.ts";
import type { StageCommands } from "./stages.ts";
import { round } from "./stats.ts";

const HELP = `npm run bench [-- options]

Ragline's own cost: time it adds and CPU it takes over stages with fixed delays behind real sockets, beside a relay
written by hand for the same answer. Each runs in a process of its own, pinned to one core; stages and load generator
share another. Takes about two and a half minutes.

  --quick            a smoke test: the same scenarios with few requests, under 20 s; its figures say little
  --json             the last line is one JSON object with every figure
  --check            exit code 1 where a bar is missed
  --dist             measure the built package in dist/ rather than src/
  --spare-rounds <n> for 64 streams: rounds that may be added while others trouble the machine; the quietest count (2)
  --passages <n>     how many passages are searched, 50 by default
  --profile <folder> no benchmark: CPU profiles of Ragline's main thread under load, for Chrome's DevTools
  --help             this text
`;

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    dist: { type: "boolean", default: false },
    "spare-rounds": { type: "string", default: "2" },
    passages: { type: "string", default: String(DOCUMENTS_DEFAULT) },
    profile: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

/** Stages that hardly wait and 64 clients: the system under test is the bottleneck. */
const throughputRun: Run = {
  clients: 64,
  requests: options.quick ? 256 : 768,
  periodMs: 0,
  delays: { embedMs: 1, rerankMs: 1, firstTokenMs: 1, tokenMs: 0, tokens: 64 },
};
const WAITS = { embedMs: 5, rerankMs: 10, firstTokenMs: 30 };
const manyStreams: Run = {
  clients: 64,
  requests: options.quick ? 64 : 256,
  periodMs: 750,
  delays: { ...WAITS, tokenMs: 5, tokens: 128 },
};
/** The 64 and 256 streams bring the same 12,800 tokens a second. */
const latencyRuns: readonly Run[] = [
  { clients: 1, requests: options.quick ? 10 : 60, periodMs: 0, delays: { ...WAITS, tokenMs: 1, tokens: 64 } },
  manyStreams,
  { clients: 256, requests: 256, periodMs: 1450, delays: { ...WAITS, tokenMs: 20, tokens: 64 } },
];
const THROUGHPUT_ROUNDS = options.quick ? 1 : 5;
const LATENCY_ROUNDS = options.quick ? 1 : 3;
const SPARE_ROUNDS = options.quick ? 0 : Number(options["spare-rounds"]);

if (options.help) console.log(HELP);
else await main();

async function main(): Promise<void> {
  const startedAt = performance.now();
  const children: Child<never>[] = [];
  const start = <C extends Record<string, (...values: never[]) => unknown>>(
    ...values: ConstructorParameters<typeof Child<C>>
  ): Child<C> => {
    const child = new Child<C>(...values);
    children.push(child as unknown as Child<never>);
    return child;
  };
  try {
    const log = (line: string) => console.log(line);
    const stages = start<StageCommands>("stages", "./stages.ts", LOAD_CORE);
    const bench: Bench = { stages, load: start<LoadCommands>("load generator", "./load.ts", LOAD_CORE), log };
    const url = await stages.call("listen");
    const build = options.dist ? "dist" : "src";
    const withCache = start<RaglineCommands>("ragline", "./ragline.ts", SYSTEM_CORE, [
      url,
      "sqlite",
      build,
      options.passages,
    ]);
    if (options.profile) {
      await profile(bench, withCache, options.profile);
      return;
    }
    const withoutCache = start<RaglineCommands>("ragline", "./ragline.ts", SYSTEM_CORE, [
      url,
      "none",
      build,
      options.passages,
    ]);
    const relay = start<SystemCommands>("relay", "./relay.ts", SYSTEM_CORE, [url, options.passages]);
    const ragline = await target("ragline", withCache);
    const noCache = await target("ragline, no cache", withoutCache);
    const byHand = await target("relay", relay);
    await checkSameAnswer(bench, ragline, byHand);

    const throughput = await measureThroughput(bench, [ragline, byHand, noCache], throughputRun, THROUGHPUT_ROUNDS);
    const alone: Target = { name: "stages alone", url, process: null };
    const latency: Report["latency"] = [];
    for (const run of latencyRuns) {
      latency.push({
        run,
        results: await measureLatency(
          bench,
          [ragline, byHand, alone],
          run,
          LATENCY_ROUNDS,
          run === manyStreams ? SPARE_ROUNDS : 0,
        ),
      });
    }
    const peakRssMb = {
      ragline: round((await withCache.call("usage")).peakRssMb, 0),
      relay: round((await relay.call("usage")).peakRssMb, 0),
    };
    const report: Report = {
      pinned: canPin,
      throughputRun,
      throughput,
      latency,
      peakRssMb,
      tookMs: performance.now() - startedAt,
    };
    const passed = printReport(report, options.json);
    if (options.check && !passed) process.exitCode = 1;
  } finally {
    for (const child of children) child.stop();
  }
}

async function target(name: Target["name"], child: Child<SystemCommands>): Promise<Target> {
  return { name, url: await child.call("listen"), process: child };
}

/** Both must say the same, or they did not do the same work. */
async function checkSameAnswer({ load, stages }: Bench, ...targets: readonly Target[]): Promise<void> {
  await stages.call("set", throughputRun.delays);
  const answers = new Set<string>();
  for (const [n, { url }] of targets.entries()) answers.add(await load.call("answerText", url, 900_000_000 + n));
  if (answers.size !== 1) throw new Error(`the answers differ: ${[...answers].join(" | ")}`);
}

/** Two profiles of the warm main thread: of the throughput load, and of 64 streams at 5 ms a token. */
async function profile(bench: Bench, ragline: Child<RaglineCommands>, folder: string): Promise<void> {
  const measured = await target("ragline", ragline);
  await mkdir(folder, { recursive: true });
  for (const [name, run] of Object.entries({ throughput: throughputRun, paced: manyStreams })) {
    await measureThroughput(bench, [measured], run, 1);
    const file = resolve(folder, `${name}.cpuprofile`);
    await ragline.call("startProfile");
    const [result] = await measureThroughput(bench, [measured], run, 2);
    await ragline.call("stopProfile", file);
    console.log(`${file}: ${3 * run.requests} requests, ${result?.requestsPerCpuSecond} per CPU-second`);
  }
}
