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
  /** Tells what a model itself counted for the messages of one prompt, without what the chat format adds. */
  report?(texts: readonly string[], tokens: number): void;
  corrections?(): readonly TokenCorrection[];
  close?(): Promise<void>;
}
