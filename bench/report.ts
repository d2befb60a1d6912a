import type { Latency, Percentiles, Run, Throughput } from "./scenarios.ts";
import { answerMs, NOISE_MAX } from "./scenarios.ts";
import { median, round } from "./stats.ts";

export interface Report {
  readonly pinned: boolean;
  readonly throughputRun: Run;
  readonly throughput: readonly Throughput[];
  readonly latency: { readonly run: Run; readonly results: readonly Latency[] }[];
  readonly peakRssMb: { readonly ragline: number; readonly relay: number };
  readonly tookMs: number;
}

interface Bar {
  readonly what: string;
  readonly value: number;
  readonly limit: string;
  readonly passed: boolean;
}

/** Prints every figure, and the object of `--json` as the last line. @returns whether every bar was met. */
export function printReport(report: Report, json: boolean): boolean {
  const bars = barsOf(report);
  const failures = resultsOf(report).reduce((sum, { failures }) => sum + failures, 0);
  printThroughput(report);
  for (const entry of report.latency) printLatency(entry);
  const { ragline, relay } = report.peakRssMb;
  console.log(`\nPeak memory (RSS): Ragline ${ragline} MB, relay ${relay} MB`);
  console.log(`Failed or reduced answers: ${failures}`);
  const shares = { "Other programs held the core": othersShare(report), "The host ran others": stolenShare(report) };
  for (const [what, share] of Object.entries(shares)) {
    if (share <= NOISE_MAX) continue;
    console.log(`${what} for up to ${percent(share)} of the time: times, p99 above all, are worse for it.`);
  }
  console.log("\nBars");
  for (const { what, value, limit, passed } of bars) {
    console.log(`  ${passed ? "pass" : "FAIL"}  ${what.padEnd(52)} ${value}  (${limit})`);
  }
  console.log(`\nTook ${round(report.tookMs / 1000, 0)} s`);
  if (json) console.log(JSON.stringify(toJson(report, bars, failures)));
  return failures === 0 && bars.every(({ passed }) => passed);
}

function barsOf(report: Report): Bar[] {
  const ratio = relayRatio(report);
  const added = (clients: number, of: keyof Percentiles, limit: number): Bar => {
    const [value, relay] = ["ragline", "relay"].map((target) => {
      return latencyOf(report, clients, target)?.addedTtftMs[of] ?? Number.NaN;
    }) as [number, number];
    const what = `added time to first token, ${clients === 1 ? "1 client" : `${clients} streams`}, ${of}, ms`;
    // Where the relay misses it too, the machine is what is measured.
    return { what, value, limit: `at most ${limit}; the relay: ${relay}`, passed: value <= limit };
  };
  return [
    { what: "requests per CPU-second, of the relay's", value: ratio, limit: "at least 0.6", passed: ratio >= 0.6 },
    added(1, "p50", 1),
    added(64, "p99", 5),
  ];
}

function printThroughput({ pinned, throughputRun, throughput }: Report): void {
  console.log(
    pinned
      ? "System under test pinned to core 0; stages and load generator on core 1."
      : "Not pinned: needs two cores and `taskset`; figures are noisier.",
  );
  console.log(`\nThroughput: ${describe(throughputRun)}`);
  console.log(
    row("", "req/CPU-s", "of relay", "min–max", "events/answer", "req/s", "CPU", "generator", "stages", "waited"),
  );
  const relay = throughput.find(({ target }) => target === "relay")?.requestsPerCpuSecond ?? Number.NaN;
  for (const { target, requestsPerCpuSecond, rounds, requestsPerSecond, ...shares } of throughput) {
    console.log(
      row(
        target,
        requestsPerCpuSecond,
        round(requestsPerCpuSecond / relay),
        `${Math.min(...rounds)}–${Math.max(...rounds)}`,
        shares.eventsPerAnswer,
        requestsPerSecond,
        percent(shares.cpuShare),
        percent(shares.generatorCpuShare),
        percent(shares.stagesCpuShare),
        percent(shares.waitedShare),
      ),
    );
  }
}

function printLatency({ run, results }: Report["latency"][number]): void {
  console.log(`\nLatency: ${describe(run)}, ${results[0]?.requests} requests`);
  const columns = ["TTFT p50", "TTFT p99", "total p50, p99", "over stages", "req/CPU-s", "CPU", "generator", "stages"];
  console.log(row("added, ms", ...columns, "waited"));
  for (const { target, addedTtftMs, requestsPerCpuSecond, cpuShare, ...others } of results) {
    const pair = ({ p50, p99 }: Percentiles) => `${p50}, ${p99}`;
    const cpu = cpuShare === null ? "" : percent(cpuShare);
    const name = target === "stages alone" ? `(${target})` : target;
    const ttft = [addedTtftMs.p50, addedTtftMs.p99];
    console.log(
      row(
        name,
        ...ttft,
        pair(others.addedTotalMs),
        pair(others.beyondStagesMs),
        requestsPerCpuSecond ?? "",
        cpu,
        percent(others.generatorCpuShare),
        percent(others.stagesCpuShare),
        percent(others.waitedShare),
      ),
    );
  }
}

function toJson(report: Report, bars: readonly Bar[], failures: number): object {
  const byClients = <T>(target: string, figure: (latency: Latency) => T): Record<string, T> =>
    Object.fromEntries(
      report.latency.flatMap(({ run, results }) =>
        results.filter((result) => result.target === target).map((result) => [run.clients, figure(result)]),
      ),
    );
  const byTarget = <T>(figure: (throughput: Throughput) => T) =>
    Object.fromEntries(report.throughput.map((result) => [camelCase(result.target), figure(result)]));
  const paced = (target: string) => byClients(target, ({ requestsPerCpuSecond }) => requestsPerCpuSecond ?? Number.NaN);
  const pacedRatios = Object.entries(paced("ragline")).map(([clients, value]) => {
    return [clients, round(value / (paced("relay")[clients] ?? Number.NaN), 3)] as const;
  });
  const latencyFigures = (target: string) => ({
    addedTtftMs: byClients(target, ({ addedTtftMs }) => addedTtftMs),
    addedTotalMs: byClients(target, ({ addedTotalMs }) => addedTotalMs),
    beyondStagesMs: byClients(target, ({ beyondStagesMs }) => beyondStagesMs),
    pacedRequestsPerCpuSecond: paced(target),
  });
  return {
    relayRatio: relayRatio(report),
    pacedRelayRatio: Object.fromEntries(pacedRatios),
    ...latencyFigures("ragline"),
    requestsPerCpuSecond: byTarget(({ requestsPerCpuSecond }) => requestsPerCpuSecond),
    requestsPerCpuSecondRounds: byTarget(({ rounds }) => rounds),
    eventsPerAnswer: byTarget(({ eventsPerAnswer }) => eventsPerAnswer),
    requestsPerSecond: byTarget(({ requestsPerSecond }) => requestsPerSecond),
    cpuShare: byTarget(({ cpuShare }) => cpuShare),
    generatorCpuShare: byTarget(({ generatorCpuShare }) => generatorCpuShare),
    stagesCpuShare: byTarget(({ stagesCpuShare }) => stagesCpuShare),
    peakRssMb: report.peakRssMb,
    relay: latencyFigures("relay"),
    stagesAlone: { beyondStagesMs: byClients("stages alone", ({ beyondStagesMs }) => beyondStagesMs) },
    othersShare: othersShare(report),
    stolenShare: stolenShare(report),
    failures,
    pinned: report.pinned,
    bars: bars.map(({ what, value, limit, passed }) => ({ what, value, limit, passed })),
    tookMs: round(report.tookMs, 0),
  };
}

/** The relay has but one thread: what it waits for its core, other programs have taken. The most of any scenario. */
function othersShare(report: Report): number {
  const relays = resultsOf(report).filter(({ target }) => target === "relay");
  return Math.max(...relays.map(({ waitedShare }) => waitedShare));
}

/** The most of any scenario and target. */
function stolenShare(report: Report): number {
  return Math.max(...resultsOf(report).map(({ stolenShare }) => stolenShare));
}

function resultsOf({ throughput, latency }: Report): readonly (Throughput | Latency)[] {
  return [...throughput, ...latency.flatMap(({ results }) => results)];
}

/** Median of the rounds' ratios: the two of a round ran one after the other. */
function relayRatio({ throughput }: Report): number {
  const rounds = (name: string) => throughput.find(({ target }) => target === name)?.rounds ?? [];
  const relay = rounds("relay");
  return round(median(rounds("ragline").map((value, n) => value / (relay[n] ?? Number.NaN))), 3);
}

function latencyOf({ latency }: Report, clients: number, name: Latency["target"]): Latency | undefined {
  return latency.find(({ run }) => run.clients === clients)?.results.find(({ target }) => target === name);
}

function describe({ clients, delays }: Run): string {
  const { tokens, tokenMs } = delays;
  return `${clients} client${clients > 1 ? "s" : ""}, 50 passages, ${tokens} tokens at ${tokenMs} ms (stages take ${answerMs(delays)} ms)`;
}

function row(name: string, ...cells: readonly (string | number)[]): string {
  return name.padEnd(19) + cells.map((cell) => String(cell).padStart(14)).join("");
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}

function camelCase(name: string): string {
  return name.replace(/\W+(\w)/g, (_, letter: string) => letter.toUpperCase());
}
