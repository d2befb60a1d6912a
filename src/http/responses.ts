import { z } from "zod";
import { ERRORS, type ErrorCode } from "../errors.ts";
import { STEPS } from "../types.ts";

/** What the server sends, for the OpenAPI document; the tests hold the responses against it. */
const step = z.enum(STEPS);
const metadata = z.record(z.string(), z.unknown());
const timings = z.partialRecord(step, z.number()).describe("Milliseconds by step.");
const spans = z
  .array(
    z.object({
      step: z.enum([...STEPS, "reader"]),
      startMs: z.number(),
      ms: z.number(),
      queueMs: z.number().optional(),
      serviceMs: z.number().optional(),
      networkMs: z.number().optional(),
    }),
  )
  .describe(
    "When each step ran, in milliseconds from the request's start; they may overlap. Where it is known: waited for a turn, worked on, and the rest, on the way. `reader`: waited until an event was taken.",
  );
const calls = z
  .partialRecord(step, z.object({ calls: z.int(), inputTokens: z.int(), outputTokens: z.int(), ms: z.number() }))
  .describe("Calls of models by step, further tries included; a step that called none is absent.");
const degraded = z
  .array(z.object({ step, reason: z.string(), fallback: z.string() }))
  .describe("Which steps fell back, and on what.");

export const errorSchema = z.object({
  error: z.object({
    code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    step: step.optional(),
    retryable: z.boolean(),
    retryAfterMs: z.int().optional().describe("Trying again sooner is in vain; absent: not known."),
    requestId: z.string().optional(),
  }),
});

export const errorResponses = { "4xx": errorSchema, "5xx": errorSchema } as const;

const pages = {
  page: z.int().optional().describe("Of the document, where the passage begins; in formats that have pages."),
  pageEnd: z.int().optional().describe("Where it ends, if that is a later one."),
};
const alsoIn = z
  .array(
    z.object({
      passageId: z.string(),
      documentId: z.string(),
      title: z.string(),
      headings: z.array(z.string()),
      ...pages,
      url: z.string().optional(),
    }),
  )
  .optional()
  .describe("Where else the same text stands.");

const source = z.object({
  n: z.int().describe("The number that citations `[n]` use."),
  passageId: z.string(),
  documentId: z.string(),
  title: z.string(),
  headings: z.array(z.string()),
  text: z.string(),
  score: z.number(),
  ...pages,
  url: z.string().optional(),
  metadata,
  alsoIn,
});

const start = z.object({
  requestId: z.string(),
  sessionId: z.string().optional().describe("Absent where the request brought its `history`: nothing is kept."),
});
const sourceList = z.object({
  query: z.string(),
  sources: z
    .array(source.partial({ headings: true, text: true, score: true, metadata: true }))
    .describe(
      "Of an answer that is sent again for its `idempotency-key`: those that it cites, without headings, text, score and metadata, which are not stored.",
    ),
});
const finishReason = z.enum(["stop", "length", "content_filter", "no_answer"]);
const end = z.object({
  finishReason,
  usage: z.object({ promptTokens: z.int(), completionTokens: z.int() }),
  timings,
  spans,
  calls,
  firstTextMs: z.number().nullable(),
  totalMs: z.number(),
  ledger: z
    .object({
      counter: z.string(),
      available: z.int(),
      system: z.int(),
      history: z.int(),
      context: z.int(),
      question: z.int(),
      total: z.int(),
      rungs: z.array(
        z.object({
          rung: z.enum(["raw", "compaction", "summary", "recall"]),
          turns: z.int(),
          tokens: z.int(),
        }),
      ),
      leftOut: z.array(
        z.object({ part: z.enum(["history", "context"]), what: z.string(), tokens: z.int(), why: z.string() }),
      ),
    })
    .nullable(),
  degraded,
  cached: z
    .boolean()
    .describe(
      "No model wrote it now: it comes from the cache, or is the turn's own, sent again for its `idempotency-key`.",
    ),
});

export const answerSchema = start.extend(sourceList.shape).extend({ text: z.string() }).extend(end.shape);

export const eventSchema = z.discriminatedUnion("type", [
  start.extend({ type: z.literal("answer-start") }),
  sourceList.extend({ type: z.literal("source-list") }),
  z.object({ type: z.literal("text-delta"), text: z.string() }),
  end.extend({ type: z.literal("answer-end") }),
  errorSchema.extend({ type: z.literal("answer-error"), timings, spans, calls, totalMs: z.number(), degraded }),
]);

const hit = z.object({
  score: z.number(),
  alsoIn,
  passage: z.object({
    id: z.string(),
    documentId: z.string(),
    title: z.string(),
    headings: z.array(z.string()),
    text: z.string(),
    tokens: z.int(),
    ...pages,
    url: z.string().optional(),
    metadata,
  }),
});
export const searchSchema = z.object({ hits: z.array(hit), timings, degraded });

export const documentSchema = z.object({
  id: z.string(),
  title: z.string(),
  url: z.string().optional(),
  hash: z.string(),
  metadata,
  groups: z.array(z.string()),
  passages: z.int(),
  indexedAt: z.string(),
});
export const documentPageSchema = z.object({ documents: z.array(documentSchema), next: z.string().optional() });
export const addedSchema = z.object({ id: z.string(), changed: z.boolean(), passages: z.int() });
export const erasedSchema = z.object({ documents: z.int(), sessions: z.int() });
export const deletedSchema = z.object({ deleted: z.literal(true) });

const turnSchema = z.object({
  number: z.int(),
  short: z.boolean(),
  requestId: z.string(),
  question: z.string(),
  query: z.string(),
  answer: z.string(),
  status: z.enum(["complete", "interrupted", "failed"]),
  finishReason: finishReason.optional().describe("Absent: not complete, or not known."),
  tokens: z.int(),
  at: z.string(),
  sources: z
    .array(
      source.pick({
        n: true,
        passageId: true,
        documentId: true,
        title: true,
        page: true,
        pageEnd: true,
        url: true,
      }),
    )
    .optional()
    .describe("Those that the answer cites; absent: none, or not known."),
});
export const turnPageSchema = z.object({ turns: z.array(turnSchema), next: z.int().optional() });
export const sessionPageSchema = z.object({
  sessions: z.array(
    z.object({
      id: z.string(),
      question: z.string().describe("The first: 200 characters at most."),
      turnCount: z.int(),
      usedAt: z.string().describe("When it was last asked in."),
    }),
  ),
  next: z.string().optional(),
});
export const deletedSessionsSchema = z.object({ deleted: z.int() });
const pendingSchema = z.object({
  requestId: z.string(),
  question: z.string(),
  status: z.enum(["pending", "interrupted"]),
  at: z.string(),
});
export const sessionSchema = z.object({
  id: z.string(),
  version: z.int(),
  summary: z.string(),
  summarizedTurns: z.int(),
  entities: z.array(z.object({ name: z.string(), note: z.string(), turn: z.int() })),
  turns: z.array(turnSchema),
  pending: z.array(pendingSchema),
  turnCount: z.int(),
  totalTokens: z.int(),
  recall: z.object({ model: z.string(), upTo: z.int() }).nullable(),
});

const modelCountsSchema = z.object({
  batches: z.int(),
  inputs: z.int(),
  tokens: z.int(),
  cut: z.int(),
  starts: z.int(),
});

export const statusSchema = z.object({
  version: z.string(),
  tenant: z.string(),
  collection: z.string(),
  documents: z.int().nullable().describe("null: the index cannot be asked."),
  passages: z.int().nullable(),
  missing: z.array(z.string()).describe("What could not be found out."),
  indexedWith: z.string().nullable(),
  fusion: z.object({
    from: z.enum(["learned", "prior", "fixed"]),
    weights: z.record(z.string(), z.object({ uncovered: z.number(), covered: z.number(), questions: z.int() })),
  }),
  stages: z.record(z.string(), z.string()),
  emulated: z.array(step),
  tokens: z.object({
    model: z.string(),
    counter: z.string(),
    corrections: z.array(z.object({ script: z.string(), factor: z.number(), reports: z.int() })),
  }),
  models: z.object({ embed: modelCountsSchema.optional(), rerank: modelCountsSchema.optional() }),
  endpoints: z.array(
    z.object({
      step,
      endpoint: z.string(),
      breaker: z.enum(["closed", "open", "half-open"]),
      serving: z.boolean(),
      inFlight: z.int(),
      calls: z.int(),
      failures: z.int(),
      hedges: z.int(),
      hedgesWon: z.int(),
    }),
  ),
  saves: z.object({ saved: z.int(), failed: z.int(), recovered: z.int(), lost: z.int(), waiting: z.int() }),
});
export const readinessSchema = z.object({
  ready: z.boolean(),
  missing: z.array(z.string()).describe("What keeps questions from being answered."),
  degraded: z.array(z.string()).describe("What answers do without meanwhile."),
});
