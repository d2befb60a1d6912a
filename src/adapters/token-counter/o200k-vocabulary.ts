import tokens from "gpt-tokenizer/bpeRanks/o200k_base";
import { packTokens } from "./byte-pairs.ts";

/** What the build stores beside the counter, where this is not loaded: its strings would take some 20 MB. */
export function packO200k(): Uint8Array {
  return packTokens(tokens);
}
