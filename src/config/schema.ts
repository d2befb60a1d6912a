import { z } from "zod";
import { callers } from "./callers.ts";
import { collectionName, count, hedgedEndpoints, milliseconds, origin, ratio, retries, tenantName } from "./fields.ts";
import { grpcClient, stage } from "./grpc.ts";
import { milvusIndex } from "./milvus.ts";
import { embed, generate, rerank } from "./models.ts";
import { models } from "./onnx.ts";
import { openSearchIndex } from "./opensearch.ts";
import { postgresIndex, postgresServer } from "./postgres.ts";
import { redisKeyPrefix, redisReplicas, redisServer } from "./redis.ts";
import { log, telemetry } from "./telemetry.ts";

const sqliteFile = z
  .string()
  .min(1)
  .default("ragline.db")
  .describe(
    "The SQLite file. Stages that name the same file share it; `session` and `cache` take that of `search` where they name none.",
  );

const conversation = {
  ttlMs: z
    .int()
    .min(1000)
    .max(10 * 365 * 86_400_000)
    .default(30 * 86_400_000)
    .describe("A conversation that nobody goes on with for so long is forgotten; in Redis reading it counts too."),
  turns: count(6, 50, "Turns that compaction leaves as they are; up to twice as many are loaded and quoted."),
  timeoutMs: milliseconds(500, "Limit for loading a conversation."),
  leaseMs: milliseconds(
    120_000,
    "A question shows as interrupted so long after the process that answered it has died; a running answer renews it.",
  ),
  pendingMax: count(
    64,
    1000,
    "Questions of one conversation that may be answered at once; a further one is refused (429 `rate_limited`).",
  ),
};
const session = z.discriminatedUnion("use", [
  z.strictObject({
    use: z.literal("sqlite").describe("`sqlite`: conversations in the embedded database."),
    file: sqliteFile,
    ...conversation,
  }),
  z.strictObject({
    use: z
      .literal("redis")
      .describe("`redis`: conversations in Redis 7, for several instances. Needs `npm install @redis/client@6`."),
    ...redisServer,
    keyPrefix: redisKeyPrefix("ragline:session:"),
    ...redisReplicas,
    ...conversation,
  }),
  z.strictObject({
    use: z
      .literal("postgres")
      .describe("`postgres`: conversations in PostgreSQL, for several instances. Needs `npm install pg@8`."),
    ...postgresServer,
    ...conversation,
  }),
]);

const rewrite = z.discriminatedUnion("use", [
  z.strictObject({
    use: z
      .literal("model")
      .describe(
        "`model`: the language model of `generate` makes a follow-up stand alone; where that only quotes, rules do.",
      ),
    timeoutMs: milliseconds(
      1500,
      "Limit; after it rules rewrite the question. The question as asked is searched meanwhile.",
    ),
  }),
  z.strictObject({
    use: z.literal("rules").describe("`rules`: puts the words that the conversation is about before a follow-up."),
  }),
  z.strictObject({ use: z.literal("none").describe("`none`: every question is searched as it is.") }),
]);

const cache = z.discriminatedUnion("use", [
  z.strictObject({
    use: z.literal("sqlite").describe("`sqlite`: finished answers in the embedded database, under exact keys."),
    file: sqliteFile,
    mode: z.enum(["on", "shadow"]).default("on").describe("`on` serves hits; `shadow` only looks and stores."),
    ttlMs: z
      .int()
      .min(1000)
      .max(30 * 86_400_000)
      .default(3_600_000)
      .describe("How long an answer may be served again."),
    entriesMax: count(10_000, 10_000_000, "Oldest entries go when there are more."),
    timeoutMs: milliseconds(200, "Limit; after it the question counts as not cached."),
  }),
  z.strictObject({ use: z.literal("none").describe("`none`: no answer is stored.") }),
]);

const searching = {
  top: count(20, 200, "Passages handed to the reranker."),
  fusion: z
    .enum(["learned", "fixed"])
    .default("learned")
    .describe("What vectors weigh beside text: `learned` from the collection at index time, or the two weights below."),
  vectorWeight: ratio(0.3, "`fixed`: where no word of the question is found. 1 with the next: text is not searched."),
  vectorWeightCovered: ratio(0, "`fixed`: where every word is found; in between in between. Both 0: text alone."),
  retries,
  timeoutMs: milliseconds(2000, "Limit for all tries together."),
};
const search = z.discriminatedUnion("use", [
  z.strictObject({
    use: z.literal("sqlite").describe("`sqlite`: the embedded database with an index in memory."),
    file: sqliteFile,
    ...searching,
  }),
  z.strictObject({
    use: z
      .literal("postgres")
      .describe(
        "`postgres`: PostgreSQL 16 or later with pgvector 0.8, for several instances. Needs `npm install pg@8`.",
      ),
    ...postgresServer,
    ...postgresIndex,
    ...searching,
  }),
  z.strictObject({
    use: z
      .literal("opensearch")
      .describe("`opensearch`: OpenSearch 3 with its k-NN plugin, for several instances and large collections."),
    ...openSearchIndex,
    ...searching,
  }),
  z.strictObject({
    use: z
      .literal("milvus")
      .describe(
        "`milvus`: Milvus 2.3 or later, for several instances and large collections. Needs `npm install @zilliz/milvus2-sdk-node@3`.",
      ),
    ...milvusIndex,
    ...searching,
  }),
  z.strictObject({
    use: z.literal("grpc").describe("`grpc`: processes of `ragline stage search`, over the same data."),
    ...grpcClient,
    ...hedgedEndpoints,
    ...searching,
  }),
]);

const prompt = z.strictObject({
  counter: z
    .enum(["auto", "o200k_base", "cl100k_base", "p50k_base", "r50k_base", "bytes"])
    .default("auto")
    .describe(
      "The tokenizer that counts. `auto`: by the model's name; for models it does not know a bound, `bytes`, which the endpoint's own counts then lower. All but `o200k_base` and `bytes` need `npm install gpt-tokenizer`.",
    ),
  tokenizerFile: z
    .string()
    .min(1)
    .optional()
    .describe(
      "The model's `tokenizer.json`, to count exactly; needs `npm install @huggingface/tokenizers`. Or its `.gguf` file; needs `npm install node-llama-cpp@3`.",
    ),
  preRotTokens: z
    .int()
    .min(256)
    .default(256_000)
    .describe("Prompts never grow beyond this, however large the model's window."),
  expectedOutputTokens: count(1024, 1_000_000, "Kept free for the answer; also asked of the model as its longest."),
  system: z.string().min(1).max(20_000).optional().describe("Replaces the built-in instructions."),
});

const server = z.strictObject({
  host: z
    .string()
    .min(1)
    .default("127.0.0.1")
    .describe("Address to listen on. Other machines reach it with `0.0.0.0`."),
  port: z.int().min(0).max(65_535).default(8787).describe("0: any free port."),
  probesPort: z
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe(
      "`/healthz`, `/readyz` and `/metrics` here too, where no question waits before them; of a `host` with several addresses on the first. 0: any free port.",
    ),
  timeoutMs: milliseconds(
    30_000,
    "Limit for a request up to its first text, which a reasoning model's thinking precedes: with one 120000 or more.",
  ),
  timeoutMaxMs: milliseconds(120_000, "The longest `timeoutMs` that a request may ask for."),
  admissionTimeoutMs: milliseconds(
    3_000,
    "Limit for a question's or a search's wait until the process begins it; after it 503. Where some have waited that long without a break, a tenth of it.",
  ),
  stallTimeoutMs: milliseconds(60_000, "Limit for a client that reads nothing of its answer."),
  heartbeatMs: milliseconds(15_000, "A stream that is silent has a comment (`:`) written at the latest every so long."),
  bodyBytesMax: z
    .int()
    .min(1024)
    .max(64 * 1024 * 1024)
    .default(2 * 1024 * 1024)
    .describe("Largest request body."),
  uploadBytesMax: z
    .int()
    .min(1024)
    .max(16 * 1024 * 1024 * 1024)
    .default(128 * 1024 * 1024)
    .describe("Documents that are being received and read, together, in bytes; beyond, a request is refused with 503."),
  fileBytesMax: z
    .int()
    .min(1024)
    .max(256 * 1024 * 1024)
    .default(20 * 1024 * 1024)
    .describe("Largest document sent as a file."),
  questionCharsMax: count(8000, 1_000_000, "Longest question, in characters."),
  filterDepthMax: count(8, 32, "Deepest nesting of `$and`, `$or` and `$not`."),
  origins: z
    .array(origin)
    .min(1)
    .max(100)
    .optional()
    .describe(
      "Origins whose pages a browser lets read the answers (CORS), e.g. `http://localhost:5173`. Absent: the server's own alone.",
    ),
  callers,
});

const ingest = z.strictObject({
  chunkTokens: z.int().min(32).max(8192).default(256).describe("Passages aim at this length."),
  overlapTokens: z.int().min(0).max(1024).default(32).describe("Repeated from the passage before."),
  readTimeoutMs: milliseconds(60_000, "Limit for reading one document; after it the document is reported and skipped."),
  readMemoryMb: z.int().min(128).max(16_384).default(768).describe("Memory that reading one document may take."),
});

/** The one schema of the configuration. `docs/configuration.md` is generated from it. */
export const configSchema = z
  .strictObject({
    tenant: tenantName.default("default").describe("Whose documents and conversations are served."),
    collection: collectionName().default("default").describe("The collection used when a request names none."),
    session,
    rewrite,
    cache,
    embed,
    search,
    rerank,
    prompt,
    generate,
    save: z.strictObject({
      timeoutMs: milliseconds(1000, "Limit for storing a turn."),
      retryMs: milliseconds(
        600_000,
        "A turn that could not be stored is tried again for so long, beside everything else.",
      ),
      waitingMax: count(1000, 100_000, "Turns that may wait for that at once; a further one is lost."),
    }),
    compact: z.strictObject({
      startRatio: z
        .number()
        .min(0.1)
        .max(1)
        .default(0.75)
        .describe("Starts at this share of the history budget, or at more than twice `session.turns` turns."),
      targetRatio: z.number().min(0.05).max(1).default(0.3).describe("Shrinks to this share."),
      summary: z
        .enum(["model", "rules"])
        .default("model")
        .describe(
          "Who summarises older turns: the language model of `generate`, or, where it only quotes or fails, rules.",
        ),
      timeoutMs: milliseconds(20_000, "Limit; the next turn tries again."),
    }),
    server,
    stage,
    ingest,
    models,
    telemetry,
    log,
  })
  .superRefine(({ ingest, compact, embed, rerank, generate, search, server }, context) => {
    const issue = (path: string[], message: string) => context.addIssue({ code: "custom", path, message });
    if (ingest.overlapTokens > ingest.chunkTokens / 2) {
      issue(["ingest", "overlapTokens"], `more than half of chunkTokens (${ingest.chunkTokens})`);
    }
    const largest = Math.max(server.fileBytesMax, server.bodyBytesMax);
    if (server.uploadBytesMax < largest) {
      issue(["server", "uploadBytesMax"], `less than the largest document that is accepted (${largest})`);
    }
    if (compact.targetRatio >= compact.startRatio) {
      issue(["compact", "targetRatio"], `not below startRatio (${compact.startRatio})`);
    }
    for (const [step, block] of Object.entries({ embed, rerank, generate })) {
      if (!("apiKey" in block && block.apiKey && "headers" in block)) continue;
      const twice = Object.keys(block.headers ?? {}).find((name) => name.toLowerCase() === "authorization");
      if (twice !== undefined) issue([step, "headers", twice], "apiKey is sent in it");
    }
    if (rerank.keep > search.top) issue(["rerank", "keep"], `more than search.top (${search.top})`);
  });

export type Config = z.infer<typeof configSchema>;
/** What a user may write: every key has a default. */
export type ConfigInput = { readonly [K in keyof Config]?: Config[K] extends object ? Block<Config[K]> : Config[K] };
type Block<T> = {
  [K in keyof T]?: K extends "breaker" ? Partial<T[K]> : K extends "callers" ? z.input<typeof callers> : T[K];
};
