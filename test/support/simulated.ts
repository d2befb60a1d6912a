import type { SimulatedModelOptions } from "../../src/adapters/language-model/simulated.ts";
import type { BatchServerOptions } from "../../src/adapters/simulated/batch-server.ts";

/** Emulated servers that take next to no time. */
export const BATCHES: BatchServerOptions = {
  serviceMs: 1,
  itemMs: 0,
  slots: 2,
  whenFull: "queue",
  queueMax: 1000,
  seed: 1,
};

export const MODEL: SimulatedModelOptions = {
  firstTokenMs: 2,
  tokenMs: 1,
  batchSlowdown: 0,
  tokens: 16,
  contextTokensMax: 8192,
  slots: 8,
  queueMax: 100,
  seed: 1,
};
