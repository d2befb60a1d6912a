import type { Child } from "./child.ts";
import { stolenMs } from "./cores.ts";
import type { LoadCommands, LoadResult } from "./load.ts";
import type { SystemCommands } from "./relay.ts";
import type { Delays, StageCommands } from "./stages.ts";
import { median, percentile, round } from "./stats.ts";

/** What is measured: a process that answers, or the stages with nothing in front of them. */
export interface Target {
  readonly name: string;
  readonly url: string;
  /** Null: the stages themselves. */
  readonly process: Child<SystemCommands> | null;
}

export interface Bench {
  readonly stages: Child<StageCommands>;
  readonly load: Child<LoadCommands>;
  readonly log: (line: string) => void;
}

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

export interface Latency {
  readonly target: Target["name"];
  readonly requests: number;
  readonly failures: number;
  /** Time to first token beyond what the stages themselves took, and beyond what the stages alone cost their caller. */
  readonly addedTtftMs: Percentiles;
  readonly addedTotalMs: Percentiles;
  /** Time to first token beyond what the stages themselves took, nothing else taken out: of the stages alone, what sockets and harness cost. */
  readonly beyondStagesMs: Percentiles;
  readonly requestsPerCpuSecond: number | null;
  /** Of its core. */
  readonly cpuShare: number | null;
  readonly generatorCpuShare: number;
  readonly stagesCpuShare: number;
  readonly waitedShare: number;
  readonly stolenShare: number;
}

export interface Throughput {
  readonly target: Target["name"];
  /** Fewer than tokens where a system joins tokens that arrive together: then it did less work than one that does not. */
  readonly eventsPerAnswer: number;
  readonly failures: number;
  /** Median of the rounds. */
  readonly requestsPerCpuSecond: number;
  readonly rounds: readonly number[];
  readonly requestsPerSecond: number;
  readonly cpuShare: number;
  readonly generatorCpuShare: number;
  readonly stagesCpuShare: number;
  readonly waitedShare: number;
  readonly stolenShare: number;
}

export interface Run {
  readonly clients: number;
  readonly requests: number;
  /** See `LoadPlan`. */
  readonly periodMs: number;
  readonly delays: Delays;
}

interface Loaded extends LoadResult {
  readonly systemCpuMs: number;
  readonly stagesCpuMs: number;
  /** Of the time, how long the main thread of the system (of the generator, where there is none) waited for its core. */
  readonly waitedShare: number;
  /** Of the time, how long the machine's host ran others. */
  readonly stolenShare: number;
}

/** Time for what a system does after its last byte, which is its cost too. */
const SETTLE_MS = 100;
/** Share of the time that other programs, or other machines, may hold the core in a round that counts as quiet. */
export const NOISE_MAX = 0.03;
/** Before each measured load, on every target alike; at least one a client. */
const WARM_UP_REQUESTS = 20;
let nextQuestion = 1;

/** Rounds of the same load on each target in turn, every other round in reverse, so that a busy machine troubles all of them alike. */
export async function measureThroughput(
  bench: Bench,
  targets: readonly Target[],
  run: Run,
  rounds: number,
): Promise<Throughput[]> {
  await bench.stages.call("set", run.delays);
  for (const target of targets) await load(bench, target, run);
  const results = new Map<Target, Loaded[]>(targets.map((target) => [target, []]));
  for (let round = 0; round < rounds; round++) {
    const inTurn = [...results];
    for (const [target, list] of round % 2 === 0 ? inTurn : inTurn.reverse()) list.push(await load(bench, target, run));
  }
  return [...results].map(([target, list]) => {
    const perRound = (figure: (loaded: Loaded) => number) => list.map((loaded) => round(figure(loaded)));
    const perCpuSecond = perRound(({ samples, systemCpuMs }) => (samples.length / systemCpuMs) * 1000);
    return {
      target: target.name,
      eventsPerAnswer: median(
        perRound(({ samples }) => samples.reduce((sum, { events }) => sum + events, 0) / samples.length),
      ),
      failures: failures(bench, list),
      requestsPerCpuSecond: median(perCpuSecond),
      rounds: perCpuSecond,
      requestsPerSecond: median(perRound(({ samples, wallMs }) => (samples.length / wallMs) * 1000)),
      cpuShare: median(perRound(({ systemCpuMs, wallMs }) => systemCpuMs / wallMs)),
      generatorCpuShare: median(perRound(({ cpuMs, wallMs }) => cpuMs / wallMs)),
      stagesCpuShare: median(perRound(({ stagesCpuMs, wallMs }) => stagesCpuMs / wallMs)),
      waitedShare: median(perRound(({ waitedShare }) => waitedShare)),
      stolenShare: median(perRound(({ stolenShare }) => stolenShare)),
    };
  });
}

/**
 * Added time = what the client measured − what the stages took for this very question − the median of the same difference
 * where the client calls the stages itself. So the delays and their timers' lateness are taken out question by question,
 * and the sockets' and the generator's own cost once a round. Percentiles are medians of the rounds', since one hiccup of
 * the machine would decide a p99. `targets` includes the stages themselves and the relay.
 * With spare rounds, as long as others trouble the rounds more are run, and the quietest of all are kept; how quiet one was
 * is told by what the relay waited for its core and by what the host took from all targets, never by Ragline.
 */
export async function measureLatency(
  bench: Bench,
  targets: readonly Target[],
  run: Run,
  rounds: number,
  spareRounds: number,
): Promise<Latency[]> {
  const results: { readonly noise: number; readonly byTarget: ReadonlyMap<Target, Round> }[] = [];
  const quiet = () => results.filter(({ noise }) => noise <= NOISE_MAX).length;
  while (results.length < rounds || (quiet() < rounds && results.length < rounds + spareRounds)) {
    await bench.stages.call("set", run.delays);
    const loads = new Map<Target, Loaded>();
    for (const target of targets) {
      // While the others had their turn this one was idle: what Node then put away is not what a loaded server is like.
      await load(bench, target, { ...run, requests: Math.max(run.clients, WARM_UP_REQUESTS) });
      loads.set(target, await load(bench, target, run));
    }
    const durations = await bench.stages.call("durations");
    const beyond = ({ samples }: Loaded, of: TimeName) =>
      samples.map((sample) => sample[of] - (durations.get(sample.question)?.[of] ?? Number.NaN));
    const alone = [...loads].find(([target]) => target.process === null)?.[1];
    if (!alone) throw new Error("the stages themselves must be measured too");
    const byTarget = new Map<Target, Round>();
    for (const [target, loaded] of loads) {
      const added = (of: TimeName) => beyond(loaded, of).map((value) => value - median(beyond(alone, of)));
      const beyondStages = beyond(loaded, "firstTokenMs");
      byTarget.set(target, { loaded, ttft: added("firstTokenMs"), total: added("totalMs"), beyondStages });
    }
    const stolen = [...loads.values()].map(({ stolenShare }) => stolenShare);
    const waited = [...loads].find(([target]) => target.name === "relay")?.[1].waitedShare ?? 0;
    const noise = Math.max(waited, ...stolen);
    results.push({ noise, byTarget });
  }
  const kept = results.sort((a, b) => a.noise - b.noise).slice(0, rounds);
  return targets.map((target) => {
    const list = kept.flatMap(({ byTarget }) => byTarget.get(target) ?? []);
    return summarize(bench, target, list);
  });
}

type TimeName = "firstTokenMs" | "totalMs";

interface Round {
  readonly loaded: Loaded;
  /** Added times, milliseconds. */
  readonly ttft: readonly number[];
  readonly total: readonly number[];
  /** See `Latency`. */
  readonly beyondStages: readonly number[];
}

function summarize(bench: Bench, target: Target, list: readonly Round[]): Latency {
  const across = (figure: (round: Round) => number) => round(median(list.map(figure)));
  const percentiles = (of: "ttft" | "total" | "beyondStages"): Percentiles => ({
    p50: across((round) => percentile(round[of], 0.5)),
    p99: across((round) => percentile(round[of], 0.99)),
  });
  return {
    target: target.name,
    requests: list.reduce((sum, { loaded }) => sum + loaded.samples.length, 0),
    failures: failures(
      bench,
      list.map(({ loaded }) => loaded),
    ),
    addedTtftMs: percentiles("ttft"),
    addedTotalMs: percentiles("total"),
    beyondStagesMs: percentiles("beyondStages"),
    requestsPerCpuSecond: target.process && across(({ loaded }) => (loaded.samples.length / loaded.systemCpuMs) * 1000),
    cpuShare: target.process && across(({ loaded }) => loaded.systemCpuMs / loaded.wallMs),
    generatorCpuShare: across(({ loaded }) => loaded.cpuMs / loaded.wallMs),
    stagesCpuShare: across(({ loaded }) => loaded.stagesCpuMs / loaded.wallMs),
    waitedShare: across(({ loaded }) => loaded.waitedShare),
    stolenShare: across(({ loaded }) => loaded.stolenShare),
  };
}

/** How long the stages make one answer take. */
export function answerMs({ embedMs, rerankMs, firstTokenMs, tokenMs, tokens }: Delays): number {
  return embedMs + rerankMs + firstTokenMs + tokenMs * tokens;
}

async function load(bench: Bench, target: Target, { clients, requests, periodMs }: Run): Promise<Loaded> {
  const before = await target.process?.call("usage");
  const stagesBefore = await bench.stages.call("usage");
  const [stolenBefore, startedAt] = [stolenMs(), performance.now()];
  const loaded = await bench.load.call("run", {
    target: { kind: target.process ? "system" : "stages", url: target.url },
    clients,
    requests,
    firstQuestion: nextQuestion,
    periodMs,
  });
  const stolenShare = (stolenMs() - stolenBefore) / (performance.now() - startedAt);
  nextQuestion += requests;
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const after = await target.process?.call("usage");
  const stagesAfter = await bench.stages.call("usage");
  const waitedMs = after && before ? after.waitedMs - before.waitedMs : loaded.waitedMs;
  return {
    ...loaded,
    systemCpuMs: (after?.cpuMs ?? 0) - (before?.cpuMs ?? 0),
    stagesCpuMs: stagesAfter.cpuMs - stagesBefore.cpuMs,
    waitedShare: waitedMs / loaded.wallMs,
    stolenShare,
  };
}

function failures(bench: Bench, loads: readonly Loaded[]): number {
  const all = loads.flatMap(({ failures }) => failures);
  if (all[0]) bench.log(`${all.length} answers failed, the first with: ${all[0]}`);
  return all.length;
}
