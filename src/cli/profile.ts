import { compose } from "../compose.ts";
import { type Config, loadConfig } from "../config.ts";
import { emulationNote } from "../emulation.ts";
import { RaglineError } from "../errors.ts";
import { questionsAbout, readQuestions } from "../load/questions.ts";
import { type DrivenStage, drivenStages, gatherMaterial } from "../profile/calls.ts";
import { measureProfile } from "../profile/measure.ts";
import { PROFILED, type Profile, type ProfiledStep, type StageProfile } from "../profile/profile.ts";
import type { Percentiles } from "../statistics.ts";
import { emulatedSteps } from "../status.ts";
import { checkWritable, writeOutput } from "./output-file.ts";
import { stopSignal } from "./session.ts";

export interface ProfileOptions {
  readonly output: string;
  readonly seconds: number;
  readonly stages?: readonly string[];
  readonly outputTokens: number;
  readonly questions?: string;
  readonly collection?: string;
  readonly yes?: true;
  readonly json?: true;
}

/** Endpoints that may send a bill. */
const MAY_COST: ReadonlySet<string> = new Set(["openai", "cohere", "ai-sdk"]);

/** `ragline profile`: drives each configured stage alone and writes what it can do. */
export async function profileCommand(configFile: string | undefined, options: ProfileOptions): Promise<void> {
  const config = loadConfig(configFile);
  const chosen = chooseStages(config, options);
  await checkWritable("--output", options.output);
  const { stages, close } = await compose(config);
  const stop = stopSignal();
  try {
    const scope = { tenant: config.tenant, collection: options.collection ?? config.collection, groups: [] };
    const { documents } = await stages.index.list(scope, { limit: 1000 }, stop);
    const { questions } = options.questions ? await readQuestions(options.questions) : await questionsAbout(documents);
    const material = await gatherMaterial(stages, scope, questions, options.outputTokens, stop);
    await stages.index.warm?.(scope, stop);
    const driven = drivenStages(stages, scope, material).filter(({ step }) => chosen.includes(step));
    const emulated = emulatedSteps(stages).filter((step) => driven.some((stage) => stage.step === step));
    console.log(announcement(driven, options));
    if (emulated.length > 0) console.log(emulationNote(emulated));
    const profile = await measureProfile(driven, {
      seconds: options.seconds,
      emulated,
      signal: stop.signal,
      useOf: (step) => useOf(config, step as ProfiledStep),
      onPoint: (step, what) => process.stderr.isTTY && process.stderr.write(`\r${step}: ${what}\x1b[K`),
    });
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    await writeOutput("--output", options.output, `${JSON.stringify(profile, null, 2)}\n`);
    for (const line of profileLines(profile)) console.log(line);
    console.log(`\nwritten to ${options.output}; read it with: ragline bottleneck --profile ${options.output}`);
    if (options.json) console.log(JSON.stringify(profile));
  } finally {
    stop.release();
    await close();
  }
}

function useOf(config: Config, step: ProfiledStep): string {
  return config[step].use;
}

/** Stages that may cost money only where they are named and agreed to. */
function chooseStages(config: Config, { stages: named, yes }: ProfileOptions): readonly ProfiledStep[] {
  const unknown = named?.filter((name) => !PROFILED.some((step) => step === name)) ?? [];
  if (unknown.length > 0) {
    throw new RaglineError(
      "request_invalid",
      `--stages: ${unknown.join(", ")} unknown; there are ${PROFILED.join(", ")}`,
    );
  }
  const wanted = PROFILED.filter((step) => named?.includes(step) ?? true);
  const costly = wanted.filter((step) => MAY_COST.has(useOf(config, step)));
  if (named && costly.length > 0 && !yes) {
    const uses = costly.map((step) => `${step} (${useOf(config, step)})`).join(", ");
    throw new RaglineError(
      "request_invalid",
      `--stages: ${uses} may cost money: up to 64 calls at once for the whole of --seconds; add --yes if they shall be sent`,
    );
  }
  if (named) return wanted;
  for (const step of costly) {
    console.log(
      `${step} (${useOf(config, step)}) is left out, since its calls may cost money; name it with --stages ${step} --yes`,
    );
  }
  return wanted.filter((step) => !costly.includes(step));
}

function announcement(driven: readonly DrivenStage[], { seconds, outputTokens }: ProfileOptions): string {
  const steps = driven.map(({ step }) => step);
  const generates = steps.includes("generate") ? `; answers of at most ${outputTokens} tokens` : "";
  return `driving ${steps.join(", ")}, one after the other, for about ${seconds} s: 1 to 32 texts a call, then 1 to 64 calls at once${generates}`;
}

function profileLines({ stages, machine }: Profile): string[] {
  const head = ["stage", "use", "p50 ms", "p95 ms", "calls/s", "CPU ms", "RPC ms", "latency of n texts, ms"];
  return [
    `\n${machine.cores} cores, ${machine.cpu}`,
    row(head),
    ...stages.map((stage) => row(cellsOf(stage))),
    ...stages.filter(({ wholeMs }) => wholeMs !== null).map(({ step, wholeMs }) => wholeLine(step, wholeMs)),
  ];
}

function cellsOf({
  step,
  use,
  serviceMs,
  callsPerSecondMax,
  cpuMsPerCall,
  rpcOverheadMs,
  fit,
}: StageProfile): string[] {
  const number = (value: number | null | undefined, digits = 1) => value?.toFixed(digits) ?? "–";
  const latency = fit
    ? `${number(fit.fixedMs, 2)} + ${number(fit.perTextMs, 3)} · n, error ${Math.round(fit.errorShare * 100)}%`
    : "–";
  return [
    step,
    use,
    number(serviceMs?.p50, 2),
    number(serviceMs?.p95, 2),
    number(callsPerSecondMax),
    number(cpuMsPerCall, 2),
    number(rpcOverheadMs?.p50, 2),
    latency,
  ];
}

function wholeLine(step: string, wholeMs: Percentiles | null): string {
  return `${step}: the times above are to the first text; whole answers took ${wholeMs?.p50.toFixed(2)} ms at p50`;
}

function row(cells: readonly string[]): string {
  const [stage = "", use = "", ...figures] = cells;
  const last = figures.pop() ?? "";
  return `${stage.padEnd(10)}${use.padEnd(12)}${figures.map((cell) => cell.padStart(9)).join("")}   ${last}`;
}
