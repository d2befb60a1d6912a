/** Questions of this process that are on their way to the writer. */
export class Recording {
  readonly #bySession = new Map<string, Set<string>>();

  /** Their request ids. */
  of(session: readonly string[]): ReadonlySet<string> {
    return this.#bySession.get(JSON.stringify(session)) ?? new Set();
  }

  /** @returns what `recorded` becomes */
  until(recorded: Promise<void>, session: readonly string[], requestId: string): Promise<void> {
    const key = JSON.stringify(session);
    const ids = this.#bySession.get(key) ?? new Set();
    this.#bySession.set(key, ids.add(requestId));
    return recorded.finally(() => {
      ids.delete(requestId);
      if (ids.size === 0) this.#bySession.delete(key);
    });
  }
}
