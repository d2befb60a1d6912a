import { z } from "zod";
import { isAiSdkModel } from "../ai-sdk-models.ts";
import { hasNoUser } from "../url-part.ts";
import { redisKeyPrefix, redisServer } from "./redis.ts";

/** What several blocks of the configuration share. */
export const milliseconds = (fallback: number, what: string) =>
  z.int().min(1).max(3_600_000).default(fallback).describe(what);
export const count = (fallback: number, max: number, what: string) =>
  z.int().min(1).max(max).default(fallback).describe(what);
export const ratio = (fallback: number, what: string) => z.number().min(0).max(1).default(fallback).describe(what);
const share = (fallback: number, what: string) => z.number().min(0.01).max(1).default(fallback).describe(what);
/** Text that every store keeps as it is. `string`: what comes before its length is counted. */
export const storedText = (charsMax: number, string = z.string()) =>
  string
    .max(charsMax)
    .refine((value) => value.isWellFormed(), "must be well-formed Unicode (it holds half of a surrogate pair)")
    .refine((value) => !value.includes("\0"), "must not hold NUL characters");
/** Any name that a customer may have: it stands in no address and names no index. */
export const tenantName = storedText(128).min(1);
/** Composed: whoever writes it in either way is the same. */
export const userName = storedText(128, z.string().normalize("NFC")).min(1);
/** What a collection may be called, in the configuration and in requests. */
export const collectionName = (string = z.string()) =>
  string.max(128).regex(/^[\p{L}\p{N}_-][\p{L}\p{N}_.-]*$/u, "must be letters, digits, `_`, `-` or `.`");
const HTTP_URL = "must be a URL that begins with http:// or https://";
export const httpUrl = z.url({
  protocol: /^https?$/,
  error: ({ input }) => (typeof input === "string" ? HTTP_URL : undefined),
});

/** As a browser writes it: `*` would open the server to whatever page somebody visits. */
export const origin = httpUrl.refine((url) => URL.parse(url)?.origin === url, {
  error: "must be scheme, host and port alone, in lower case, without a slash at its end",
});

/** Paths are put behind it. A user in it would be sent nowhere. */
export const httpBase = httpUrl
  .refine((url) => !/[?#]/.test(url), "must end with its path, without `?` and `#`")
  .refine(hasNoUser, "must not hold a user or a password: they would not be sent");

/** One server, or several that serve the same. */
export const httpUrls = z.union([httpBase, z.array(httpBase).min(1).max(64)]);

const breaker = z
  .strictObject({
    failureRatio: share(
      0.5,
      "Opens where this share of the window's calls failed. Refusals of the request itself count as answers.",
    ),
    slowRatio: share(0.8, "Opens where this share of them was slow."),
    slowMs: z
      .int()
      .min(1)
      .max(3_600_000)
      .optional()
      .describe("A call (an answer's first token) that takes so long is slow. Absent: nine tenths of the limit."),
    callsMin: count(10, 1_000_000, "Fewer calls in the window never open it."),
    windowMs: milliseconds(10_000, "Length of the sliding window."),
    openMs: milliseconds(
      5000,
      "How long calls fail at once, until one at a time is let through; two good ones close it.",
    ),
  })
  .prefault({})
  .describe("The circuit breaker of each endpoint.");
const balance = z
  .enum(["least_outstanding", "round_robin"])
  .default("least_outstanding")
  .describe("Which of several endpoints is asked: the one with the fewest calls under way, or each in turn.");
/** What every model behind endpoints has. */
export const endpoints = { balance, breaker };
/** Where asking twice does no harm. */
export const hedgedEndpoints = {
  ...endpoints,
  hedge: z
    .boolean()
    .default(true)
    .describe(
      "With two endpoints or more: asks a second one where the first takes longer than 19 of 20 calls did, for at most a twentieth of all calls.",
    ),
};
/** One provider, in the library. */
export const oneEndpoint = { breaker };

/** A secret that is sent in a header. One from a file often ends with a line end, with which nothing can be sent. */
export const token = z.string().regex(/^[!-~]*$/, "must be printable ASCII, without spaces and line ends");

export const apiKey = token.optional().describe("Sent as a bearer token. Read it from the environment: `${NAME}`.");

export const retries = z
  .int()
  .min(0)
  .max(5)
  .default(1)
  .describe(
    "Further tries after a failure that may pass, within the limit; over all requests a tenth of them at most.",
  );
/** What every dependency outside the process needs. */
export const patience = (concurrency: number, queue: number) => ({
  retries,
  concurrencyMax: count(concurrency, 100_000, "Calls at once; further ones wait."),
  queueMax: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(queue)
    .describe(
      "Calls that may wait; a further one is refused at once as `overloaded`, as is one whose turn would come too late for it.",
    ),
});
const AI_SDK = "must be a model object of the AI SDK (specification v2 to v4), in library use";
export const aiSdkModel = <T>(method: Parameters<typeof isAiSdkModel>[1]) =>
  z.custom<T>((value) => isAiSdkModel(value, method), AI_SDK).describe("The model object.");

export const embedLimit = milliseconds(2000, "Limit for a question; after it only text is searched.");
export const prefixes = {
  queryPrefix: z.string().default("").describe("Put before questions, e.g. `query: `."),
  passagePrefix: z.string().default("").describe("Put before passages, e.g. `passage: `."),
};
export const dimensions = z.int().min(1).max(4096).describe("Length of the model's vectors.");
export const inputTokensMax = count(8192, 1_000_000, "Longer texts are cut; tokens by `prompt.counter`.");
export const batchTextsMax = count(128, 2048, "Texts a call.");
export const vectorCache = {
  cacheMb: z
    .int()
    .min(0)
    .max(65_536)
    .default(64)
    .describe("Memory for vectors of texts that may come again, questions and passages half each; 0: none."),
  sharedCache: z
    .strictObject({
      use: z
        .literal("redis")
        .describe("`redis`: vectors in Redis, for several instances. Needs `npm install @redis/client@6`."),
      ...redisServer,
      keyPrefix: redisKeyPrefix("ragline:vector:"),
      ttlMs: z
        .int()
        .min(1000)
        .max(365 * 86_400_000)
        .default(7 * 86_400_000)
        .describe("How long a vector is kept."),
      timeoutMs: milliseconds(
        10,
        "Limit for a look; after it, and for a second after any failure, texts are embedded.",
      ),
    })
    .optional()
    .describe("A cache behind that in memory. Absent: none."),
};

export const contextTokensMax = z
  .int()
  .min(256)
  .default(8192)
  .describe("The model's window, prompt and answer together.");
export const temperature = z
  .number()
  .min(0)
  .max(2)
  .nullable()
  .default(0)
  .describe("0: the likeliest words. `null`: not sent, for models that refuse it.");

export const silence = {
  firstTokenTimeoutMs: milliseconds(
    20_000,
    "Limit for the model's first token, of reasoning too, within the request's own.",
  ),
  silenceTimeoutMs: milliseconds(10_000, "Limit for the silence between two tokens; an answer's length has none."),
};
export const generatePatience = {
  ...patience(512, 1024),
  retries: retries.describe("Further tries, before the first token only; over all requests a tenth of them at most."),
};
export const reranking = {
  keep: count(5, 100, "Passages that go into the prompt."),
  timeoutMs: milliseconds(800, "Limit; after it the order of search is kept."),
};
