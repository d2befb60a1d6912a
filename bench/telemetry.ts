import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import { seeded } from "../src/random.ts";
import { mean } from "../src/statistics.ts";
import { Child } from "./child.ts";
import { canPin, LOAD_CORE, SYSTEM_CORE } from "./cores.ts";
import { DOCUMENTS_DEFAULT } from "./corpus.ts";
import type { LoadCommands } from "./load.ts";
import type { RaglineCommands } from "./ragline.ts";
import { type Bench, measureThroughput, type Run, type Target } from "./scenarios.ts";
import type { StageCommands } from "./stages.ts";
import { median, percentile, round } from "./stats.ts";

const HELP = `npm run bench:telemetry [-- options]

What metrics, the log and traces cost: CPU a request, with each of them, beside the same server without, on one core. Of each kind
several processes run, since two of the very same code differ by up to 7%; rounds are interleaved, every other one in reverse. A figure is
what the processes of a kind take, each the median over rounds, beside what those of the first kind take, with its 95% interval by
bootstrap over processes and rounds. Takes some ten minutes.

  --rounds <n>       15 by default: of a second and more, so that the young generation is as large as under steady load
  --processes <n>    of each kind, 4 by default
  --against <folder> also a server of another checkout's src folder, e.g. one before a change, or one without any tracing: it is the first then
  --bars             only the servers that a bar is about: half of the time
  --check            exit code 1 where a bar is missed: tracing off 2%, on at 10% sampling 5%
  --json             the last line is one JSON object with every figure
`;

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "15" },
    processes: { type: "string", default: "4" },
    against: { type: "string" },
    bars: { type: "boolean", default: false },
    check: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** Stages that hardly wait and 64 clients: the server is the bottleneck. */
const RUN: Run = {
  clients: 64,
  requests: 576,
  periodMs: 0,
  delays: { embedMs: 1, rerankMs: 1, firstTokenMs: 1, tokenMs: 0, tokens: 64 },
};
const SAMPLED_BAR = 0.05;
const OFF_BAR = 0.02;
const BOOTSTRAP_DRAWS = 2000;

interface Variant {
  readonly name: string;
  readonly config: object;
  readonly build?: string;
  /** Share of CPU a request that it may cost beside the first. */
  readonly bar?: number;
}

if (options.help) console.log(HELP);
else await main();

async function main(): Promise<void> {
  const collector = await discardingCollector();
  const traced = (sampling: number) => ({ traces: "otlp", endpoint: collector.url, sampling });
  const silent = { log: { level: "silent" } };
  const variants: Variant[] = [
    ...(options.against ? [{ name: "the other checkout", config: silent, build: options.against }] : []),
    { name: "no traces, no log", config: silent, ...(options.against && { bar: OFF_BAR }) },
    ...(options.bars ? [] : [{ name: "no traces, log", config: { log: { level: "info" } } }]),
    { name: "traces at 10%, no log", config: { ...silent, telemetry: traced(0.1) }, bar: SAMPLED_BAR },
    ...(options.bars ? [] : [{ name: "traces at 100%, no log", config: { ...silent, telemetry: traced(1) } }]),
  ];
  const children: { stop(): void }[] = [];
  try {
    const stages = new Child<StageCommands>("stages", "./stages.ts", LOAD_CORE);
    const load = new Child<LoadCommands>("load generator", "./load.ts", LOAD_CORE);
    children.push(stages, load);
    const bench: Bench = { stages, load, log: (line) => console.log(line) };
    const url = await stages.call("listen");
    const targets: Target[] = [];
    for (let n = 0; n < Number(options.processes); n++) {
      for (const { name, config, build = "src" } of variants) {
        const values = [url, "none", build, String(DOCUMENTS_DEFAULT), JSON.stringify(config)];
        const child = new Child<RaglineCommands>(name, "./ragline.ts", SYSTEM_CORE, values);
        children.push(child);
        targets.push({ name, url: await child.call("listen"), process: child });
      }
    }
    const results = await measureThroughput(bench, targets, RUN, Number(options.rounds));
    report(variants, results, collector.bytes());
  } finally {
    for (const child of children) child.stop();
    collector.close();
  }
}

function report(variants: readonly Variant[], results: Awaited<ReturnType<typeof measureThroughput>>, bytes: number) {
  /** CPU a request in ms, by process and round. */
  const measured = ({ name }: Variant) =>
    results.filter(({ target }) => target === name).map(({ rounds }) => rounds.map((perSecond) => 1000 / perSecond));
  const [first] = variants;
  if (!first) return;
  const firstByRound = transposed(measured(first)).map(median);
  const inFirsts = (variant: Variant) =>
    measured(variant).map((rounds) => rounds.map((ms, n) => ms / (firstByRound[n] ?? Number.NaN)));
  const base = inFirsts(first);
  const rows = variants.map((variant) => {
    const processes = inFirsts(variant);
    const { name, bar } = variant;
    const cpuMs = round(mean(measured(variant).map(median)), 3);
    return { name, cpuMs, cost: round(costOf(processes, base), 4), interval: interval(processes, base), bar };
  });
  console.log(
    `CPU a request, ${canPin ? "one core" : "not pinned"}, ${options.processes} processes of each kind, ${options.rounds} rounds of ${RUN.requests} requests, beside the first:`,
  );
  for (const { name, cpuMs, cost, interval, bar } of rows) {
    const spread = interval.map((share) => `${(100 * share).toFixed(1)}%`).join(" to ");
    const verdict = bar === undefined ? "" : cost <= bar ? `, within ${100 * bar}%` : `, MISSES ${100 * bar}%`;
    console.log(`${name.padEnd(32)}${cpuMs.toFixed(3)} ms  ${(100 * cost).toFixed(1)}%  (95%: ${spread})${verdict}`);
  }
  console.log(`the collector received ${(bytes / 1e6).toFixed(1)} MB`);
  if (options.json) console.log(JSON.stringify(rows));
  if (options.check && rows.some(({ cost, bar }) => bar !== undefined && cost > bar)) process.exitCode = 1;
}

/** By process and round. */
type Measures = readonly (readonly number[])[];

/** How much more a request costs in these processes than in those of the first kind. */
function costOf(processes: Measures, base: Measures): number {
  return mean(processes.map(median)) / mean(base.map(median)) - 1;
}

/** Where the cost lies, with 95% confidence: of draws with replacement (bootstrap) of processes, and of rounds. */
function interval(processes: Measures, base: Measures): readonly number[] {
  const random = seeded(1);
  const draw = <T>(values: readonly T[]) => values.map(() => values[Math.floor(random() * values.length)] as T);
  const costs = Array.from({ length: BOOTSTRAP_DRAWS }, () => costOf(draw(processes).map(draw), draw(base).map(draw)));
  return [0.025, 0.975].map((share) => round(percentile(costs, share), 4));
}

function transposed(rows: readonly (readonly number[])[]): number[][] {
  return (rows[0] ?? []).map((_, n) => rows.map((row) => row[n] ?? Number.NaN));
}

/** Takes spans and forgets them. */
async function discardingCollector() {
  let bytes = 0;
  const server = createServer((request, response) => {
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on("end", () => response.writeHead(200, { "content-type": "application/x-protobuf" }).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bytes: () => bytes,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
