import { stringify } from "yaml";
import { type Config, loadConfig } from "../config.ts";
import { RaglineError } from "../errors.ts";
import type { Compared } from "../extract/extract.ts";
import { createRagline } from "../index.ts";
import { readQuestions } from "../load/questions.ts";
import { quantile } from "../statistics.ts";
import { terminalLog } from "./log.ts";
import { stopSignal } from "./session.ts";

export type ExtractStage = "embed" | "rerank" | "generate" | "search";

export interface ExtractOptions {
  readonly to: readonly string[];
  readonly questions?: string;
  readonly session?: string;
  readonly limit?: number;
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly json?: true;
}

/** `ragline extract`: whether a stage served apart does what the one here does, and what it costs; exit code 1 where it does not. */
export async function extractCommand(
  configFile: string | undefined,
  stage: ExtractStage,
  options: ExtractOptions,
): Promise<void> {
  const config = loadConfig(configFile);
  const stop = stopSignal();
  try {
    const questions = (await questionsOf(config, options)).slice(0, options.limit);
    const remote = {
      endpoints: options.to,
      ...(options.ca && { caFile: options.ca }),
      ...(options.certificate && { certificateFile: options.certificate }),
      ...(options.key && { keyFile: options.key }),
    };
    // gRPC's library takes longer to load than everything else.
    const { extract } = await import("../extract/extract.ts");
    const all = await extract(config, questions, { stage, remote, signal: stop.signal, onCompared: printQuestion });
    const differ = all.filter(({ difference }) => difference !== null).length;
    const calls = all.reduce((sum, { here }) => sum + here.length, 0);
    printSummary(all);
    if (calls === 0) console.error(`no question made a call of ${stage}: there is nothing to compare`);
    else console.log(differ === 0 ? "\noutputs agree" : `\n${differ} of ${all.length} questions differ`);
    if (differ === 0 && calls > 0) printChange(config, stage, remote);
    if (options.json) console.log(JSON.stringify({ stage, questions: all.length, calls, differ, ...figures(all) }));
    if (differ > 0 || calls === 0) process.exitCode = 1;
  } finally {
    stop.release();
  }
}

/** @throws RaglineError `request_invalid`: there are none. */
async function questionsOf(config: Config, { questions, session }: ExtractOptions): Promise<readonly string[]> {
  if (session !== undefined) return recordedQuestions(config, session);
  if (questions === undefined) {
    throw new RaglineError("request_invalid", "extract: name questions, with --questions <file> or --session <id>");
  }
  return (await readQuestions(questions)).questions;
}

async function recordedQuestions(config: Config, id: string): Promise<string[]> {
  const ragline = await createRagline(config, { warm: false, log: terminalLog(config) });
  try {
    const page = await ragline.readTurns(id);
    if (page) return page.turns.map(({ question }) => question);
    throw new RaglineError("not_found", `--session: there is no conversation ${id}`);
  } finally {
    await ragline.close();
  }
}

function printQuestion({ question, difference, here, apart }: Compared): void {
  const [near, far] = [total(here), total(apart)];
  const bytes = apart.reduce((sum, one) => sum + one.bytes, 0);
  const times = `${near.toFixed(2)} ms here, ${far.toFixed(2)} there, ${(far - near).toFixed(2)} more; ${bytes} bytes`;
  console.log(`${difference === null ? "same  " : "DIFFERS"} ${question.slice(0, 60)}: ${times}`);
  if (difference !== null) console.log(`        ${difference}`);
}

function printSummary(all: readonly Compared[]): void {
  const { hereMs, apartMs, moreMs, firstTextMoreMs, bytes } = figures(all);
  console.log(`\n${"".padEnd(20)}${"p50".padStart(10)}${"p95".padStart(10)}`);
  const row = (name: string, { p50, p95 }: { readonly p50: number; readonly p95: number }, digits = 2) =>
    console.log(`${name.padEnd(20)}${p50.toFixed(digits).padStart(10)}${p95.toFixed(digits).padStart(10)}`);
  row("here, ms", hereMs);
  row("apart, ms", apartMs);
  row("more a question, ms", moreMs);
  if (firstTextMoreMs) row("to first text, ms", firstTextMoreMs);
  row("bytes a question", bytes, 0);
}

function figures(all: readonly Compared[]) {
  const first = (outputs: Compared["here"]) =>
    outputs.find(({ firstTextMs }) => firstTextMs !== undefined)?.firstTextMs;
  const firstText = all.flatMap(({ here, apart }) => {
    const [near, far] = [first(here), first(apart)];
    return near !== undefined && far !== undefined ? [far - near] : [];
  });
  return {
    hereMs: percentiles(all.map(({ here }) => total(here))),
    apartMs: percentiles(all.map(({ apart }) => total(apart))),
    moreMs: percentiles(all.map(({ here, apart }) => total(apart) - total(here))),
    firstTextMoreMs: firstText.length > 0 ? percentiles(firstText) : null,
    bytes: percentiles(all.map(({ apart }) => apart.reduce((sum, one) => sum + one.bytes, 0))),
  };
}

function total(outputs: Compared["here"]): number {
  return outputs.reduce((sum, { ms }) => sum + ms, 0);
}

function percentiles(values: readonly number[]) {
  const sorted = values.toSorted((a, b) => a - b);
  return { p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95) };
}

/** What is configured for the stage goes to the stage's own file as it is. */
function printChange(config: Config, stage: ExtractStage, remote: object): void {
  const before = config[stage];
  const keep = "keep" in before ? { keep: before.keep } : {};
  const counts =
    config.generate.use === "llama" && stage === "generate" ? { prompt: { tokenizerFile: config.generate.model } } : {};
  console.log(
    `\nThe block \`${stage}\` (use: ${before.use}) stays as it is in the configuration of \`ragline stage ${stage}\`.`,
  );
  console.log("In the configuration of whoever asks it becomes:\n");
  console.log(stringify({ [stage]: { use: "grpc", ...remote, ...keep }, ...counts }, { lineWidth: 0 }).trimEnd());
}
