import { parentPort } from "node:worker_threads";
import tokens from "gpt-tokenizer/bpeRanks/o200k_base";
import { packTokens } from "./byte-pairs.ts";

/** What the build stores beside the counter. */
export function packO200k(): Uint8Array {
  return packTokens(tokens);
}

parentPort?.postMessage(packO200k());
