import { draw, type Random, seeded } from "../random.ts";
import { type Plan, type PlannedSession, questionsInTurn, type ThoughtTurn } from "./plan.ts";

export interface ArrivalOptions {
  /** Requests a second, all turns counted. */
  readonly rate: number;
  readonly seconds: number;
  /** `poisson`: gaps between sessions are exponential, as of many independent readers; `constant`: all equal. */
  readonly process: "poisson" | "constant";
  /** Mean length of a conversation, at least 1; lengths are geometric, as of readers who stop with equal chance each time. */
  readonly turns: number;
  /** Mean time from an answer's end to the reader's next question; exponential. */
  readonly thinkMs: number;
  readonly seed: number;
}

/**
 * A partly-open workload (Schroeder, Wierman, Harchol-Balter: Open Versus Closed, NSDI 2006): conversations arrive however slow
 * the server is; within one, a turn waits for the answer before.
 */
export function planArrivals(questions: readonly string[], options: ArrivalOptions): Plan {
  const { rate, seconds, process, turns, thinkMs } = options;
  const random = seeded(options.seed);
  const ms = seconds * 1000;
  const meanGapMs = (1000 * turns) / rate;
  const gap = () =>
    process === "constant" ? meanGapMs : draw({ distribution: "exponential", mean: meanGapMs }, random);
  const question = questionsInTurn(questions);
  const sessions: PlannedSession[] = [];
  for (let at = gap(); at < ms; at += gap()) {
    const length = sessionLength(turns, random);
    const first = { question: question(), at };
    const later = Array.from({ length: length - 1 }, (): ThoughtTurn => {
      return { question: question(), thinkMs: draw({ distribution: "exponential", mean: thinkMs }, random) };
    });
    sessions.push([first, ...later]);
  }
  return { arrivals: describe(options), sessions, ms, dueMaxMs: ms };
}

function sessionLength(mean: number, random: Random): number {
  let length = 1;
  while (random() < 1 - 1 / mean) length++;
  return length;
}

function describe({ rate, seconds, process, turns, thinkMs, seed }: ArrivalOptions): string {
  const arrivals = process === "poisson" ? "Poisson arrivals" : "evenly spaced arrivals";
  const sessions = turns > 1 ? `, conversations of ${turns} turns on average, ${thinkMs} ms between them` : "";
  return `${arrivals}, ${rate} requests a second for ${seconds} s${sessions}; seed ${seed}`;
}
