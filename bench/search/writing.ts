import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { median, percentile, round } from "../stats.ts";
import type { BenchQuestion } from "./corpus.ts";
import { open, passagesFrom, SCOPE, search, write } from "./ragline.ts";

/** p99 of searches beside one writer, against their p99 without it. Every figure is the median of rounds. */
export interface WhileWriting {
  /** Of the rounds' own ratios: neighbours in time, so that what else the machine does meets both. */
  readonly p99Ratio: number;
  readonly p99Ratios: readonly number[];
  readonly idle: Latency;
  readonly writing: Latency;
  /** p99 over p50 of a loop that searches nothing and computes for as long as an idle search: what the machine alone does. */
  readonly noise: { readonly idle: number; readonly writing: number };
  readonly documentsPerS: number;
  readonly documents: number;
}

interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly searches: number;
}

interface Round {
  readonly idle: readonly number[];
  readonly writing: readonly number[];
  readonly idleNoise: number;
  readonly writingNoise: number;
  readonly documentsPerS: number;
}

const SIGNAL = new AbortController().signal;
const NOISE_MS = 500;
const DOCUMENTS = 250;
const PASSAGES_PER_DOCUMENT = 20;
/** The event loop is idle when it was so for this long. */
const IDLE_MS = 100;
const IDLE_SHARE_MAX = 0.05;

/**
 * Rounds of searching alone, then of searching while one writer replaces documents of 20 passages without a pause, in the same
 * process. The first round warms up. Before each the index is settled, so that the idle searches are as fast as they get.
 */
export async function whileWriting(
  file: string,
  size: number,
  asked: readonly BenchQuestion[],
  rounds: { readonly count: number; readonly ms: number },
): Promise<WhileWriting> {
  const { index, close } = open(file);
  // Made beforehand: in a server they come over a socket.
  const written = Array.from({ length: DOCUMENTS }, (_, n) => passagesFrom(2_000_000 + PASSAGES_PER_DOCUMENT * n));
  let asking = 0;
  let documents = 0;
  const searchOnce = async () => {
    const next = asked[asking++ % asked.length];
    if (next) await search(index, next);
  };
  const measured: Round[] = [];
  for (let i = 0; i <= rounds.count; i++) {
    await index.settle?.(SCOPE, { signal: SIGNAL });
    await quiet();
    const idle = await times(searchOnce, rounds.ms);
    const spins = spinsOf(median(idle));
    const idleNoise = spread(await times(async () => spin(spins), NOISE_MS));
    let isOver = false;
    const before = documents;
    const startedAt = performance.now();
    const writer = (async () => {
      for (; !isOver; documents++) {
        await write(index, documents % (size / PASSAGES_PER_DOCUMENT), written[documents % DOCUMENTS] ?? []);
      }
    })();
    const writing = await times(searchOnce, rounds.ms);
    const documentsPerS = ((documents - before) / (performance.now() - startedAt)) * 1000;
    const writingNoise = spread(await times(async () => spin(spins), NOISE_MS));
    isOver = true;
    await writer;
    if (i > 0) measured.push({ idle, writing, idleNoise, writingNoise, documentsPerS });
  }
  await close();
  return summary(measured, documents);
}

function summary(rounds: readonly Round[], documents: number): WhileWriting {
  const ratios = rounds.map(({ idle, writing }) => percentile(writing, 0.99) / percentile(idle, 0.99));
  const over = (of: (one: Round) => number) => round(median(rounds.map(of)), 2);
  return {
    p99Ratio: round(median(ratios), 2),
    p99Ratios: ratios.map((ratio) => round(ratio, 2)),
    idle: latency(rounds.map(({ idle }) => idle)),
    writing: latency(rounds.map(({ writing }) => writing)),
    noise: { idle: over((one) => one.idleNoise), writing: over((one) => one.writingNoise) },
    documentsPerS: over((one) => one.documentsPerS),
    documents,
  };
}

function latency(rounds: readonly (readonly number[])[]): Latency {
  return {
    p50Ms: round(median(rounds.map((one) => median(one))), 3),
    p99Ms: round(median(rounds.map((one) => percentile(one, 0.99))), 3),
    searches: rounds.reduce((sum, one) => sum + one.length, 0),
  };
}

/** How long `once` takes each time, for so long. It comes with an event of its own, as from a socket. */
async function times(once: () => Promise<unknown>, ms: number): Promise<number[]> {
  const found: number[] = [];
  const until = performance.now() + ms;
  while (performance.now() < until) {
    const startedAt = performance.now();
    await once();
    found.push(performance.now() - startedAt);
    await nextTurn();
  }
  return found;
}

function spread(found: readonly number[]): number {
  return percentile(found, 0.99) / median(found);
}

/** How many additions take so long, milliseconds. */
function spinsOf(ms: number): number {
  const tried = 1_000_000;
  spin(tried);
  const each = Array.from({ length: 9 }, () => {
    const startedAt = performance.now();
    spin(tried);
    return (performance.now() - startedAt) / tried;
  });
  return Math.round(ms / median(each));
}

function spin(count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum = (sum + i) | 0;
  return sum;
}

/** Until merging in the background is over. */
async function quiet(): Promise<void> {
  for (let share = 1; share > IDLE_SHARE_MAX; ) {
    const before = performance.eventLoopUtilization();
    await sleep(IDLE_MS);
    share = performance.eventLoopUtilization(before).utilization;
  }
}
