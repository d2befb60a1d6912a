/** What is asked when. Times are milliseconds since the run's start. */
export interface PlannedTurn {
  readonly question: string;
  /** A later turn that comes sooner than the end of the one before waits for that. */
  readonly at: number;
}

/** A later turn of a reader who reads and thinks first. */
export interface ThoughtTurn {
  readonly question: string;
  /** Since the end of the turn before. */
  readonly thinkMs: number;
}

/** One reader's conversation: its turns are asked in order, each after the end of the one before. */
export type PlannedSession = readonly [PlannedTurn, ...(PlannedTurn | ThoughtTurn)[]];

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
