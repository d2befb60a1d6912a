import { emulationNote } from "../emulation.ts";
import { RaglineError } from "../errors.ts";
import { planArrivals } from "../load/arrivals.ts";
import { createClient, type LoadClient } from "../load/client.ts";
import { type DrivenRun, drive, type Sample } from "../load/drive.ts";
import type { Plan } from "../load/plan.ts";
import { summaryLines } from "../load/print.ts";
import { questionsAbout, readQuestions } from "../load/questions.ts";
import { type Summary, type SummaryContext, summarize } from "../load/summary.ts";
import { inspectTarget } from "../load/target.ts";
import { planTrace } from "../load/trace.ts";
import { withoutUrlSecrets } from "../telemetry/redaction.ts";
import { checkWritable, writeOutput } from "./output-file.ts";
import { stopSignal } from "./session.ts";

export interface LoadOptions {
  readonly url: string;
  readonly rate: number;
  readonly seconds?: number;
  readonly arrivals: "poisson" | "constant";
  readonly turns: number;
  readonly thinkMs: number;
  readonly seed: number;
  readonly trace?: string;
  readonly compress: number;
  readonly questions?: string;
  readonly collection?: string;
  /** False: `--no-cache`. */
  readonly cache: boolean;
  readonly header: readonly (readonly [string, string])[];
  readonly ttftObjective: number;
  readonly timeout: number;
  readonly drain: number;
  readonly warmUp: number;
  /** Percent of what was asked. */
  readonly failedMax: number;
  readonly report?: string;
  readonly json?: true;
}

const SECONDS_DEFAULT = 30;

/** `ragline load`: asks a running server open-loop and says how it fared. Exit code 1 where more failed than may. */
export async function loadCommand(options: LoadOptions): Promise<void> {
  if (options.report) await checkWritable("--report", options.report);
  const client = createClient({
    url: options.url,
    headers: Object.fromEntries(options.header),
    timeoutMs: options.timeout * 1000,
  });
  const stop = stopSignal();
  try {
    const { run, summary, context } = await load(client, options, stop.signal);
    for (const line of summaryLines(summary)) console.log(line);
    if (options.report) {
      const { reportPage } = await import("../load/report/page.ts");
      await writeOutput("--report", options.report, reportPage(run, summary, context));
      console.log(`report    ${options.report}`);
    }
    if (options.json) console.log(JSON.stringify(summary));
    const { asked, completed } = summary;
    const failed = asked - completed;
    if (failed > (asked * options.failedMax) / 100) {
      console.error(`${failed} of ${asked} answers failed; --failed-max allows ${options.failedMax}%`);
      process.exitCode = 1;
    }
  } finally {
    stop.release();
    client.close();
  }
}

interface Loaded {
  readonly run: DrivenRun;
  readonly summary: Summary;
  readonly context: SummaryContext;
}

async function load(client: LoadClient, options: LoadOptions, signal: AbortSignal): Promise<Loaded> {
  const { url, collection, cache } = options;
  const target = await inspectTarget(client, url, collection);
  const { from, questions } = options.questions
    ? await readQuestions(options.questions)
    : await questionsAbout(target.documents);
  const plan = await planOf(questions, options);
  const shown = withoutUrlSecrets(url);
  console.log(`${shown}: ${plan.arrivals}; ${questions.length} questions from ${from}`);
  if (target.emulated?.length) console.log(emulationNote(target.emulated));
  const progress = createProgress(plan);
  const run = await drive(plan, client, {
    ask: { ...(collection !== undefined && { collection }), ...(!cache && { cache: false as const }) },
    drainMs: options.drain * 1000,
    signal,
    onSample: progress.onSample,
  });
  progress.end();
  const context: SummaryContext = {
    url: shown,
    arrivals: plan.arrivals,
    questions: `${questions.length} questions from ${from}`,
    emulated: target.emulated,
    arrivalsMs: Math.min(plan.ms, run.ms),
    objectiveMs: options.ttftObjective,
    warmUpMs: options.warmUp * 1000,
  };
  return { run, context, summary: summarize(run, context) };
}

async function planOf(questions: readonly string[], options: LoadOptions): Promise<Plan> {
  const { trace, compress, seconds, rate, arrivals, turns, thinkMs, seed } = options;
  const plan = trace
    ? await planTrace(questions, { file: trace, compress, seconds: seconds ?? null })
    : planArrivals(questions, { rate, seconds: seconds ?? SECONDS_DEFAULT, process: arrivals, turns, thinkMs, seed });
  if (plan.sessions.length > 0) return plan;
  throw new RaglineError("request_invalid", "nothing arrives: raise --rate or --seconds");
}

/** One line that says how it stands, on a terminal. */
function createProgress({ sessions, ms }: Plan) {
  const total = sessions.reduce((sum, { length }) => sum + length, 0);
  let done = 0;
  let failed = 0;
  let shownAt = 0;
  return {
    onSample({ failure }: Sample, inFlight: number) {
      done++;
      if (failure) failed++;
      if (!process.stderr.isTTY || performance.now() - shownAt < 200) return;
      shownAt = performance.now();
      process.stderr.write(
        `\r${done} of ${total} answered, ${failed} failed, ${inFlight} under way (${ms / 1000} s)\x1b[K`,
      );
    },
    end() {
      if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    },
  };
}
