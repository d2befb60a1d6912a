import { Agent, type IncomingMessage, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { answerParent, processUsage } from "./child.ts";
import { documentsOf, passageText, question } from "./corpus.ts";

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
  readonly firstTokenMs: number;
  readonly totalMs: number;
  /** Events (of the stages: chunks) with text: tokens that arrive together may be sent on together. */
  readonly events: number;
}

export interface LoadResult {
  readonly samples: readonly Sample[];
  /** What went wrong with each answer that is no sample. */
  readonly failures: readonly string[];
  readonly wallMs: number;
  /** Of the generator itself. */
  readonly cpuMs: number;
  readonly waitedMs: number;
}

const agent = new Agent({ keepAlive: true });
const DELTA = { system: /event: text-delta\n/g, stages: /"content":"[^"]/g };
const PASSAGES = documentsOf(20).map(passageText);

async function run(plan: LoadPlan): Promise<LoadResult> {
  const samples: Sample[] = [];
  const failures: string[] = [];
  let asked = 0;
  globalThis.gc?.();
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
  const answer = await (kind === "system" ? askSystem(url, number) : askStages(url, number));
  let text = "";
  let firstTokenMs = 0;
  answer.setEncoding("utf8");
  await new Promise<void>((resolve, reject) => {
    answer.on("data", (piece: string) => {
      text += piece;
      if (firstTokenMs === 0 && text.search(DELTA[kind]) >= 0) firstTokenMs = performance.now() - startedAt;
    });
    answer.on("end", resolve);
    answer.on("error", reject);
  });
  const totalMs = performance.now() - startedAt;
  const whole = kind === "system" ? text.includes("event: answer-end\n") : text.endsWith("data: [DONE]\n\n");
  if (!whole || firstTokenMs === 0) throw new Error(`cut: …${text.slice(-300)}`);
  const [degraded] = /"degraded":\[[^\]][^\]]*/.exec(text) ?? [];
  if (degraded) throw new Error(degraded);
  return { question: number, firstTokenMs, totalMs, events: text.match(DELTA[kind])?.length ?? 0 };
}

function askSystem(url: string, number: number): Promise<IncomingMessage> {
  return post(`${url}/v1/ask`, { question: question(number) });
}

async function askStages(url: string, number: number): Promise<IncomingMessage> {
  const asked = question(number);
  await drain(await post(`${url}/v1/embeddings`, { model: "bench", input: [asked] }));
  await drain(await post(`${url}/rerank`, { query: asked, texts: PASSAGES }));
  const messages = [{ role: "user", content: `${PASSAGES.slice(0, 5).join("\n\n")}\n\n${asked}` }];
  return post(`${url}/v1/chat/completions`, { model: "bench", messages, stream: true });
}

function drain(incoming: IncomingMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    incoming.resume();
    incoming.on("end", resolve);
    incoming.on("error", reject);
  });
}

function post(url: string, body: object): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const headers = {
      "content-type": "application/json",
      accept: "text/event-stream, application/json",
      "content-length": Buffer.byteLength(text),
    };
    const outgoing = request(url, { method: "POST", agent, headers }, (incoming) => {
      if (incoming.statusCode === 200) resolve(incoming);
      else {
        incoming.resume();
        reject(new Error(`${url}: status ${incoming.statusCode}`));
      }
    });
    outgoing.on("error", reject);
    outgoing.end(text);
  });
}

/** The text of one answer, to see that every system says the same. */
async function answerText(url: string, number: number): Promise<string> {
  const answer = await askSystem(url, number);
  let text = "";
  answer.setEncoding("utf8");
  for await (const piece of answer) text += piece;
  const deltas = text.matchAll(/event: text-delta\ndata: (.*)\n/g);
  return [...deltas].map(([, data = ""]) => (JSON.parse(data) as { text: string }).text).join("");
}

const loadCommands = { run, answerText };
export type LoadCommands = typeof loadCommands;

answerParent(loadCommands);
