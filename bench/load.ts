import { setTimeout as sleep } from "node:timers/promises";
import { processUsage } from "./child.ts";
import { documentsOf, passageText, question } from "./corpus.ts";
import { Connections, type Received } from "./wire.ts";

/** The load generator: clients that each wait for one answer before they ask for the next, over kept-alive connections. */
export interface LoadPlan {
  /** `system`: `POST /v1/ask` to it. `stages`: the same calls in the same order, with nothing in between. */
  readonly target: { readonly kind: "system" | "stages"; readonly url: string };
  readonly clients: number;
  readonly requests: number;
  /** Number of the first question; the next requests ask the following ones. */
  readonly firstQuestion: number;
  /**
   * 0: a client's next request follows its last answer at once. Otherwise each client asks once a period, all of them
   * spread evenly over it: answers that take equally long would else end, and be asked for, in ever larger crowds.
   */
  readonly periodMs: number;
}

export interface Sample {
  readonly question: number;
  /** By `performance.now()`, as the stages' times are. */
  readonly startedAt: number;
  readonly firstTokenAt: number;
  readonly endedAt: number;
  /** Events (of the stages: chunks) with text: tokens that arrive together may be sent on together. */
  readonly events: number;
}

export interface LoadResult {
  readonly samples: readonly Sample[];
  /** What went wrong with each answer that is no sample. */
  readonly failures: readonly string[];
  readonly wallMs: number;
  /** Of generator and stages, which are one process. */
  readonly cpuMs: number;
  readonly waitedMs: number;
}

const servers = new Map<string, Connections>();
const DELTA = { system: /event: text-delta\n/, stages: /"content":"[^"]/ };
const PASSAGES = documentsOf(20).map(passageText);

async function run(plan: LoadPlan): Promise<LoadResult> {
  const samples: Sample[] = [];
  const failures: string[] = [];
  let asked = 0;
  const startedAt = performance.now();
  const before = processUsage();
  const client = async (_: unknown, n: number): Promise<void> => {
    let dueAt = startedAt + (n / plan.clients) * plan.periodMs;
    while (asked < plan.requests) {
      const number = plan.firstQuestion + asked++;
      const waitMs = dueAt - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      dueAt += plan.periodMs;
      try {
        samples.push(await ask(plan.target, number));
      } catch (error) {
        failures.push(String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: plan.clients }, client));
  const after = processUsage();
  return {
    samples,
    failures,
    wallMs: performance.now() - startedAt,
    cpuMs: after.cpuMs - before.cpuMs,
    waitedMs: after.waitedMs - before.waitedMs,
  };
}

/** Rejects where the answer was cut, failed, or was made with a step left out. */
async function ask({ kind, url }: LoadPlan["target"], number: number): Promise<Sample> {
  const startedAt = performance.now();
  const { body, markAt } = await (kind === "system" ? askSystem(url, number) : askStages(url, number));
  const endedAt = performance.now();
  const whole = kind === "system" ? body.includes("event: answer-end\n") : body.includes("data: [DONE]\n\n");
  if (!whole || markAt === 0) throw new Error(`cut: …${body.slice(-300)}`);
  const [degraded] = /"degraded":\[[^\]][^\]]*/.exec(body) ?? [];
  if (degraded) throw new Error(degraded);
  return { question: number, startedAt, firstTokenAt: markAt, endedAt, events: eventsIn(body, DELTA[kind]) };
}

function eventsIn(body: string, delta: RegExp): number {
  return body.match(new RegExp(delta, "g"))?.length ?? 0;
}

function askSystem(url: string, number: number): Promise<Received> {
  return to(url).post("/v1/ask", { question: question(number) }, DELTA.system);
}

async function askStages(url: string, number: number): Promise<Received> {
  const stages = to(url);
  const asked = question(number);
  await stages.post("/v1/embeddings", { model: "bench", input: [asked] });
  await stages.post("/rerank", { query: asked, texts: PASSAGES });
  const messages = [{ role: "user", content: `${PASSAGES.slice(0, 5).join("\n\n")}\n\n${asked}` }];
  return stages.post("/v1/chat/completions", { model: "bench", messages, stream: true }, DELTA.stages);
}

function to(url: string): Connections {
  const known = servers.get(url) ?? new Connections(url);
  servers.set(url, known);
  return known;
}

/** The text of one answer, to see that every system says the same. */
async function answerText(url: string, number: number): Promise<string> {
  const headers = { "content-type": "application/json", accept: "text/event-stream" };
  const body = JSON.stringify({ question: question(number) });
  const text = await (await fetch(`${url}/v1/ask`, { method: "POST", headers, body })).text();
  const deltas = text.matchAll(/event: text-delta\ndata: (.*)\n/g);
  return [...deltas].map(([, data = ""]) => (JSON.parse(data) as { text: string }).text).join("");
}

export const loadCommands = { run, answerText };
export type LoadCommands = typeof loadCommands;
