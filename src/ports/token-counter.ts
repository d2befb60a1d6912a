/** By how much the counts of one script are multiplied, and how many reports of the endpoint stand behind it. */
export interface TokenCorrection {
  readonly script: string;
  readonly factor: number;
  readonly reports: number;
}

/** Counts tokens for the target model, or a bound that is never below. Synchronous: it counts on every request. */
export interface TokenCounter {
  /** Shown in the ledger, e.g. `o200k_base`. */
  readonly name: string;
  /** At most linear in the length of `text`, whatever it holds. */
  count(text: string): number;
  /**
   * The messages of one prompt, which a model is about to count itself: whom to tell how many tokens it counted, without what the chat
   * format adds. Null: it need not be told of this one.
   */
  compare?(texts: readonly string[]): ((tokens: number) => void) | null;
  corrections?(): readonly TokenCorrection[];
  close?(): Promise<void>;
}
