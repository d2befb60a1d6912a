import { setTimeout as sleep } from "node:timers/promises";
import { type Answered, askOver } from "./asking.ts";

export const ASKERS = 2;
const PAUSE_MS = 100;
/** Then a conversation is over, and another begins. */
const TURNS_MAX = 5;
const QUESTIONS = [
  "출장 숙박비 한도는 얼마인가요?",
  "How do I report a lost laptop?",
  "퇴직금은 언제 지급되나요?",
  "How many days can I work remotely?",
];

/** What was asked in one part of the run. */
export interface Counted {
  readonly part: string;
  /** What began in it counts in it, whenever it ended; elsewhere the end counts. */
  readonly disturbed: boolean;
  asked: number;
  answered: number;
  /** Of the answered. */
  degraded: number;
  /** With an error of Ragline's, by its code. */
  readonly failed: Map<string, number>;
  /** Without one, by what the client saw. */
  readonly cut: Map<string, number>;
  /** Milliseconds between two answers that follow each other, over all askers; the longest that ended in this part. */
  longestGapMs: number;
}

function counted(part: string, disturbed: boolean): Counted {
  return { part, disturbed, asked: 0, answered: 0, degraded: 0, failed: new Map(), cut: new Map(), longestGapMs: 0 };
}

/** Asks through the gateway without pause, in conversations, until it is stopped. */
export class SteadyAsking {
  readonly parts: Counted[] = [];
  readonly #url: string;
  readonly #acknowledged = new Map<string, number>();
  readonly #running: Promise<void>[];
  #isOver = false;
  #lastAnswerAt = performance.now();
  #current = counted("", false);

  constructor(url: string) {
    this.#url = url;
    this.#running = Array.from({ length: ASKERS }, (_, i) => this.#ask(i));
  }

  /** What is asked from now on counts there. */
  begin(part: string, disturbed = false): Counted {
    this.#current = counted(part, disturbed);
    this.parts.push(this.#current);
    return this.#current;
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }

  /** Turns whose saving nobody called into doubt, and how many of them are not there. */
  async lost(): Promise<{ readonly acknowledged: number; readonly missing: number }> {
    let acknowledged = 0;
    let missing = 0;
    for (const [id, turns] of this.#acknowledged) {
      acknowledged += turns;
      missing += Math.max(0, turns - (await turnsOf(this.#url, id)));
    }
    return { acknowledged, missing };
  }

  async #ask(seed: number): Promise<void> {
    let id: string | undefined;
    for (let i = seed; !this.#isOver; i++) {
      const question = QUESTIONS[i % QUESTIONS.length] ?? "";
      const begun = this.#current;
      const answered = await askOver(this.#url, question, { sessionId: id });
      this.#count(begun.disturbed ? begun : this.#current, answered);
      id = answered.id && i % TURNS_MAX !== 0 ? answered.id : undefined;
      await sleep(PAUSE_MS);
    }
  }

  #count(part: Counted, { fate, id, failure, degraded }: Answered): void {
    part.asked++;
    if (fate !== "answered") {
      part[fate].set(failure, (part[fate].get(failure) ?? 0) + 1);
      return;
    }
    part.answered++;
    if (degraded) part.degraded++;
    if (!degraded.includes("save")) this.#acknowledged.set(id, (this.#acknowledged.get(id) ?? 0) + 1);
    const now = performance.now();
    this.#current.longestGapMs = Math.max(this.#current.longestGapMs, now - this.#lastAnswerAt);
    this.#lastAnswerAt = now;
  }
}

/** How many turns a conversation has there. */
export async function turnsOf(url: string, id: string): Promise<number> {
  const response = await fetch(`${url}/v1/sessions/${id}`);
  return response.ok ? ((await response.json()) as { readonly turnCount: number }).turnCount : 0;
}
