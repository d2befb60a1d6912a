import { setTimeout as sleep } from "node:timers/promises";
import type { AnswerEvent } from "../../src/index.ts";

const READY_MS = 120_000;

export interface Answered {
  readonly id: string;
  readonly text: string;
  /** The error, or that the stream ended without an end; null: an answer. */
  readonly failure: string | null;
  readonly timings: Readonly<Record<string, number>>;
  readonly degraded: string;
}

/** Waits until questions can be answered there. */
export async function ready(url: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const response = await fetch(`${url}/readyz`, { signal });
    if (response.ok) return;
    const said = await response.text();
    if (performance.now() > deadline) throw new Error(`${url} is not ready: ${said}`);
    await sleep(200, undefined, { signal });
  }
}

/** One question over HTTP, read from its stream of events. */
export async function askOver(url: string, question: string, sessionId: string | undefined): Promise<Answered> {
  const response = await fetch(`${url}/v1/ask`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify({ question, ...(sessionId && { sessionId }) }),
  });
  const lines = (await response.text()).split("\n").filter((line) => line.startsWith("data: {"));
  const events = lines.map((line) => JSON.parse(line.slice("data: ".length)) as AnswerEvent);
  const [first] = events;
  const last = events.at(-1);
  const text = events.map((event) => (event.type === "text-delta" ? event.text : "")).join("");
  const id = first?.type === "answer-start" ? first.sessionId : "";
  const ended = last?.type === "answer-end" || last?.type === "answer-error" ? last : null;
  const failure = last?.type === "answer-end" ? null : JSON.stringify(last ?? response.status);
  const degraded = (ended?.degraded ?? []).map(({ step, reason }) => `${step} ${reason}`).join(", ");
  return { id, text, failure, timings: { ...ended?.timings }, degraded };
}
