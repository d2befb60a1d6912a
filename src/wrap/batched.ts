import type { Embedder, EmbedKind } from "../ports/embedder.ts";
import type { Reranker } from "../ports/reranker.ts";
import { bestFirst } from "../statistics.ts";
import { createBatchQueue } from "./batch-queue.ts";

export interface BatchedOptions {
  /** Of a batch, padding included, by estimate. */
  readonly batchTokensMax: number;
  /** Texts of questions that may wait; a further call is refused with `overloaded`. */
  readonly queueMax: number;
  /** Given a look at how many texts wait. */
  readonly watchQueue?: (waiting: () => number) => void;
}

/** Passages of documents that may wait, for each text of questions that may. */
const PATIENT_SHARE = 16;
/** Where the inner port does not say. */
const TEXT_TOKENS_MAX = 8192;

/** The same embedder, one batch at a time, of what concurrent calls ask for. Questions go before passages. */
export function batchedEmbedder(inner: Embedder, options: BatchedOptions): Embedder {
  const { batchTokensMax, queueMax, watchQueue } = options;
  const queue = createBatchQueue<{ readonly text: string; readonly kind: EmbedKind }, Float32Array>({
    run: (items, call) => {
      // Questions and passages never share a batch.
      const { kind } = items[0] ?? { kind: "query" };
      const texts = items.map(({ text }) => text);
      return inner.embed(texts, kind, call);
    },
    sizeOf: ({ text }) => estimatedTokens(text, inner.textTokensMax),
    batchTokensMax,
    waitingMax: { urgent: queueMax, patient: queueMax * PATIENT_SHARE },
    watchQueue,
  });
  return {
    ...sameModel(inner),
    get model() {
      return inner.model;
    },
    get dimensions() {
      return inner.dimensions;
    },
    get textTokensMax() {
      return inner.textTokensMax;
    },
    embed: (texts, kind, call) =>
      queue.submit(
        texts.map((text) => ({ text, kind })),
        kind === "query" ? "urgent" : "patient",
        call,
      ),
  };
}

/** The same reranker, one batch at a time, of the pairs of concurrent calls; where it scores none, one call at a time. */
export function batchedReranker(inner: Reranker, options: BatchedOptions): Reranker {
  const { batchTokensMax, queueMax, watchQueue } = options;
  const { score } = inner;
  if (!score) return inner;
  const queue = createBatchQueue<readonly [query: string, text: string], number>({
    run: (pairs, call) => score(pairs, call),
    sizeOf: ([query, text]) => estimatedTokens(query + text, inner.textTokensMax),
    batchTokensMax,
    waitingMax: { urgent: queueMax, patient: 0 },
    watchQueue,
  });
  const queued: NonNullable<Reranker["score"]> = (pairs, call) => queue.submit(pairs, "urgent", call);
  return {
    ...sameModel(inner),
    get model() {
      return inner.model;
    },
    get textTokensMax() {
      return inner.textTokensMax;
    },
    score: queued,
    async rerank(query, texts, call) {
      const pairs = texts.map((text) => [query, text] as const);
      return bestFirst(await queued(pairs, call));
    },
  };
}

/** What is not batched. */
function sameModel(inner: Embedder | Reranker) {
  const { problem, counts, warm, close } = inner;
  return {
    ...(problem && { problem: () => problem() }),
    ...(counts && { counts: () => counts() }),
    ...(warm && { warm: (call: Parameters<typeof warm>[0]) => warm(call) }),
    ...(close && { close: () => close() }),
  };
}

/** Rough, for sorting and budgets: 4 ASCII characters a token, 1.5 of others. */
function estimatedTokens(text: string, tokensMax = TEXT_TOKENS_MAX): number {
  const length = Math.min(text.length, tokensMax * 8);
  let others = 0;
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) > 127) others++;
  return Math.min(tokensMax, 2 + Math.ceil((length - others) / 4 + others / 1.5));
}
