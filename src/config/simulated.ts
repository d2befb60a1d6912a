import { z } from "zod";
import { contextTokensMax, count, embedLimit, reranking, silence, vectorCache } from "./fields.ts";

/** Emulated servers, and how an amount that differs from call to call is written. */
const FORMS =
  "An object below is `{ distribution: uniform, min, max }`, `{ distribution: exponential, mean }` or `{ distribution: lognormal, median, sigma }`.";
const amount = (max: number) => z.number().min(0).max(max);

const distribution = (fallback: number, max: number, what: string) =>
  z
    .union([
      amount(max),
      z
        .strictObject({ distribution: z.literal("uniform"), min: amount(max), max: amount(max) })
        .refine(({ min, max }) => min <= max, "min is above max"),
      z.strictObject({ distribution: z.literal("exponential"), mean: amount(max) }),
      z.strictObject({ distribution: z.literal("lognormal"), median: amount(max), sigma: z.number().min(0).max(3) }),
    ])
    .default(fallback)
    .describe(what);
const time = (fallback: number, what: string) => distribution(fallback, 600_000, what);

const seed = z
  .int()
  .min(0)
  .max(2 ** 32 - 1)
  .default(1)
  .describe("Of the times drawn: the same calls in the same order get the same ones.");
const queueMax = z
  .int()
  .min(0)
  .max(1_000_000)
  .default(1024)
  .describe(
    "Calls that may wait for a slot; a further one is refused as `overloaded`, as is one whose turn would come too late for it.",
  );

const batches = (serviceMs: number, itemMs: number) => ({
  serviceMs: time(serviceMs, "What a call takes, whatever its size, in milliseconds."),
  itemMs: time(itemMs, "What each text of a call adds."),
  slots: count(4, 10_000, "Calls that the emulated server works on at once."),
  whenFull: z
    .enum(["queue", "share"])
    .default("queue")
    .describe("Calls beyond `slots` wait in line, or all share the slots' time equally."),
  queueMax,
  seed,
});

export const simulatedEmbed = z.strictObject({
  use: z
    .literal("simulated")
    .describe(
      `\`simulated\`: an emulated embedding server, for load tests and demos: vectors of \`static\`, later. ${FORMS}`,
    ),
  ...batches(5, 0.5),
  timeoutMs: embedLimit,
  ...vectorCache,
  cacheMb: vectorCache.cacheMb.default(0),
});

export const simulatedRerank = z.strictObject({
  use: z
    .literal("simulated")
    .describe(
      `\`simulated\`: an emulated reranking server, for load tests and demos: the order of \`lexical\`, later. ${FORMS}`,
    ),
  ...batches(10, 1),
  ...reranking,
});

export const simulatedGenerate = z.strictObject({
  use: z
    .literal("simulated")
    .describe(
      `\`simulated\`: an emulated model server with continuous batching, for load tests and demos: the passages' words at a model's pace. ${FORMS}`,
    ),
  firstTokenMs: time(200, "From the slot to the first token, in milliseconds."),
  tokenMs: time(20, "From a token to the next, with no other answer under way."),
  batchSlowdown: z
    .number()
    .min(0)
    .max(10)
    .default(0.02)
    .describe("What each other answer under way adds to `tokenMs`, as a share of it."),
  tokens: distribution(128, 100_000, "Length of an answer; a token is a word."),
  slots: count(32, 100_000, "Answers written at once."),
  queueMax,
  seed,
  contextTokensMax,
  ...silence,
});
