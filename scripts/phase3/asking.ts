import { setTimeout as sleep } from "node:timers/promises";
import type { AnswerEvent } from "../../src/index.ts";
import { scrape } from "../../test/support/scrape.ts";

const READY_MS = 120_000;
/** Longer than any limit that the server has of its own. */
const ANSWER_MS = 150_000;

/** What became of a question: an error with a code of Ragline's, or a stream or connection that ended without one. */
export type Fate = "answered" | "failed" | "cut";

export interface Answered {
  readonly fate: Fate;
  readonly id: string;
  readonly text: string;
  /** The error's code, or what else ended it; empty: nothing did. */
  readonly failure: string;
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

/** How many questions that instance has been asked, however they ended. */
export async function askedOf(url: string): Promise<number> {
  const answers = (await scrape(url)).filter(
    ({ name, labels }) => name === "ragline_requests_total" && labels.route === "/v1/ask",
  );
  return answers.reduce((sum, { value }) => sum + value, 0);
}

/** One question over HTTP, read from its stream of events; never from the cache. */
export async function askOver(
  url: string,
  question: string,
  { sessionId, signal }: { readonly sessionId?: string | undefined; readonly signal?: AbortSignal } = {},
): Promise<Answered> {
  const limit = AbortSignal.timeout(ANSWER_MS);
  try {
    const response = await fetch(`${url}/v1/ask`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "text/event-stream" },
      body: JSON.stringify({ question, cache: false, ...(sessionId && { sessionId }) }),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    const body = await response.text();
    return response.ok ? readEvents(body) : notAnswered(errorOf(body), `HTTP ${response.status}`);
  } catch (thrown) {
    return notAnswered(null, String(thrown));
  }
}

function readEvents(body: string): Answered {
  const lines = body.split("\n").filter((line) => line.startsWith("data: {"));
  const events = lines.map((line) => JSON.parse(line.slice("data: ".length)) as AnswerEvent);
  const [first] = events;
  const last = events.at(-1);
  if (last?.type !== "answer-end") return notAnswered(last?.type === "answer-error" ? last.error : null, "cut stream");
  return {
    fate: "answered",
    id: (first?.type === "answer-start" && first.sessionId) || "",
    text: events.map((event) => (event.type === "text-delta" ? event.text : "")).join(""),
    failure: "",
    timings: { ...last.timings },
    degraded: (last.degraded ?? []).map(({ step, reason }) => `${step} ${reason}`).join(", "),
  };
}

type Told = Pick<Extract<AnswerEvent, { readonly type: "answer-error" }>["error"], "code" | "step" | "message">;

function notAnswered(error: Told | null, otherwise: string): Answered {
  const failure = error ? [error.code, error.step, error.message].filter(Boolean).join(": ") : otherwise;
  return { fate: error ? "failed" : "cut", id: "", text: "", failure, timings: {}, degraded: "" };
}

function errorOf(body: string): Told | null {
  try {
    return (JSON.parse(body) as { readonly error?: Told }).error ?? null;
  } catch {
    return null;
  }
}
