/** Beyond these the oldest are forgotten, whose answers have most likely been given up. */
const QUESTIONS_MAX = 10_000;

export interface UnrecordedQuestion {
  /** The session's, as the question found it; 0: there was no session. */
  readonly version: number;
  readonly askedAtMs: number;
}

/**
 * Questions that this process has begun and does not know to be recorded: what tells an answer whose question never reached the store
 * from one whose session was deleted meanwhile.
 */
export class UnrecordedQuestions {
  readonly #questions = new Map<string, UnrecordedQuestion & { readonly session: string }>();

  add(session: readonly string[], requestId: string, question: UnrecordedQuestion): void {
    this.#questions.set(keyOf(session, requestId), { ...question, session: keyOf(session) });
    const [oldest] = this.#questions.keys();
    if (this.#questions.size > QUESTIONS_MAX && oldest !== undefined) this.#questions.delete(oldest);
  }

  find(session: readonly string[], requestId: string): UnrecordedQuestion | undefined {
    return this.#questions.get(keyOf(session, requestId));
  }

  remove(session: readonly string[], requestId: string): void {
    this.#questions.delete(keyOf(session, requestId));
  }

  /** Of one session. @returns what puts them back */
  removeOf(session: readonly [tenant: string, collection: string, id: string]): () => void {
    const key = keyOf(session);
    return this.#removeWhere((one) => one === key);
  }

  /** Of all sessions of a tenant's collection whose ids begin so. @returns what puts them back */
  removeAll(place: readonly [tenant: string, collection: string], ids: string): () => void {
    const within = keyOf([...place, ids]).slice(0, -2);
    return this.#removeWhere((one) => one.startsWith(within));
  }

  #removeWhere(isGone: (session: string) => boolean): () => void {
    const removed = [...this.#questions].filter(([, { session }]) => isGone(session));
    for (const [one] of removed) this.#questions.delete(one);
    return () => {
      for (const [one, question] of removed) this.#questions.set(one, question);
    };
  }
}

function keyOf(session: readonly string[], ...requestId: readonly string[]): string {
  return JSON.stringify([...session, ...requestId]);
}
