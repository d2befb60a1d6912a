import { composeStage } from "../compose/stage.ts";
import { compose } from "../compose.ts";
import { type Config, parseConfig } from "../config.ts";
import { within } from "../deadlines.ts";
import { RaglineError } from "../errors.ts";
import type { Scope } from "../types.ts";
import type { StageName } from "../wire/definitions.ts";
import { record } from "./record.ts";
import { type Output, type Ports, replay } from "./replay.ts";

/** Vectors and scores may differ by so much: float32, and models whose sums depend on their batch. */
export const TOLERANCE = 1e-5;

export interface Compared {
  readonly question: string;
  /** Why the outputs do not agree; null: they do. */
  readonly difference: string | null;
  readonly here: readonly Output[];
  readonly apart: readonly Output[];
}

export interface ExtractOptions {
  readonly stage: StageName;
  /** What `use: grpc` says besides: endpoints, files for TLS. */
  readonly remote: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
  onCompared?(compared: Compared): void;
}

/**
 * Replays questions on a stage as it is configured and on one that is served apart: the calls that each question makes of the
 * stage are noted once and made in both places, in turns. Changes nothing.
 * @throws RaglineError one of the two cannot be opened or reached
 */
export async function extract(
  config: Config,
  questions: readonly string[],
  { stage, remote, signal, onCompared }: ExtractOptions,
): Promise<Compared[]> {
  const scope: Scope = { tenant: config.tenant, collection: config.collection, groups: [] };
  const local = await compose(uncached(config));
  try {
    const { stages } = local;
    const there = await openApart(stage, remote, stages, signal);
    try {
      const limits = { signal, timeoutMs: config.server.timeoutMs };
      const all: Compared[] = [];
      for (const question of ["warm-up", ...questions]) {
        const recording = await record(stages, scope, question, limits);
        const call = () => ({ signal: within(limits.timeoutMs, signal) });
        const here = await replay(stage, stages, recording, scope, call());
        const apart = await replay(stage, there.ports, recording, scope, call());
        const compared = { question, difference: differenceOf(here, apart), here, apart };
        // The first call of a model loads it.
        if (all.length === 0 && question === "warm-up") continue;
        all.push(compared);
        onCompared?.(compared);
      }
      return all;
    } finally {
      await there.close();
    }
  } finally {
    await local.close();
  }
}

/** Each place is to work. */
function uncached(config: Config): Config {
  return "cacheMb" in config.embed ? { ...config, embed: { ...config.embed, cacheMb: 0 } } : config;
}

async function openApart(
  stage: StageName,
  remote: ExtractOptions["remote"],
  local: Ports,
  signal: AbortSignal,
): Promise<{ readonly ports: Ports; close(): Promise<void> }> {
  const block = { use: "grpc", ...remote, ...(stage === "embed" && { cacheMb: 0 }) };
  const opened = await composeStage(parseConfig({ [stage]: block }), stage);
  const close = () => opened.close();
  const reached = { signal: within(REACH_MS, signal) };
  try {
    switch (opened.stage) {
      case "embed":
        await opened.port.warm?.(reached);
        return { ports: { ...portsOf(local), embedder: opened.port }, close };
      case "rerank":
        await opened.port.warm?.(reached);
        return { ports: { ...portsOf(local), reranker: opened.port }, close };
      case "generate":
        await opened.port.warm?.(reached);
        return { ports: { ...portsOf(local), model: opened.port }, close };
      case "search": {
        const { model, dimensions } = local.embedder;
        return { ports: { ...portsOf(local), index: await opened.port({ model, dimensions }) }, close };
      }
    }
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

const REACH_MS = 10_000;

function portsOf({ embedder, index, reranker, model }: Ports): Ports {
  return { embedder, index, reranker, model };
}

function differenceOf(here: readonly Output[], apart: readonly Output[]): string | null {
  if (here.length !== apart.length) throw new RaglineError("internal", "a call was made in one place only");
  for (const [i, one] of here.entries()) {
    const other = apart[i];
    if (!other) continue;
    if (one.exact !== other.exact) return `here ${shortened(one.exact)} and there ${shortened(other.exact)}`;
    if (one.numbers.length !== other.numbers.length) {
      return `here ${one.numbers.length} numbers and there ${other.numbers.length}`;
    }
    const furthest = one.numbers.reduce(
      (most, n, j) => Math.max(most, Math.abs(n - (other.numbers[j] ?? Number.NaN))),
      0,
    );
    if (!(furthest <= TOLERANCE)) return `numbers differ by up to ${furthest.toPrecision(3)}`;
  }
  return null;
}

function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
