/** Counts tokens for the target model, or a bound that is never below. Synchronous: it counts on every request. */
export interface TokenCounter {
  /** Shown in the ledger, e.g. `o200k_base`. */
  readonly name: string;
  /** At most linear in the length of `text`, whatever it holds. */
  count(text: string): number;
  close?(): Promise<void>;
}
