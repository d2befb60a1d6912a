/** What is asked when. Times are milliseconds since the run's start. */
export interface PlannedTurn {
  readonly question: string;
  /** When it is due by the plan; of a later turn the earliest time, as it waits for the end of the one before it. */
  readonly at: number;
  /** Time for reading and thinking since the end of the turn before; the turn is due no sooner. */
  readonly thinkMs: number;
}

/** One reader's conversation: its turns are asked in order, each after the end of the one before. */
export type PlannedSession = readonly [PlannedTurn, ...PlannedTurn[]];

export interface Plan {
  /** How the arrivals came about, in words. */
  readonly arrivals: string;
  /** By their first turns, soonest first. */
  readonly sessions: readonly PlannedSession[];
  /** For how long requests arrive. */
  readonly ms: number;
  /** Later turns that become due after this are not asked. */
  readonly dueMaxMs: number;
}

/** Hands out questions in turn; the same key gets the same question again. */
export function questionsInTurn(questions: readonly string[]): (key?: string) => string {
  const byKey = new Map<string, string>();
  let asked = 0;
  const next = () => questions[asked++ % questions.length] ?? "";
  return (key) => {
    if (key === undefined) return next();
    const known = byKey.get(key);
    if (known !== undefined) return known;
    const question = next();
    byKey.set(key, question);
    return question;
  };
}
