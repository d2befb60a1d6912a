import type { Embedder } from "../ports/embedder.ts";
import { Race } from "../race.ts";

/** Texts a call of the embedder: what text-embeddings-inference takes by default. */
const BATCH_TEXTS = 32;
/** Calls at once: the next is ready when one ends, and none spends its time limit waiting for others. */
const CALLS = 2;

/** Gathers texts of several documents into full batches. */
export interface EmbedBatcher {
  /** Resolves when all of them are embedded; they may wait for others until `flush`. */
  embed(texts: readonly string[]): Promise<Float32Array[]>;
  /** Embeds what is waiting, full batch or not: at once, or when a batch under way is done, so that batches can fill. */
  flush(): void;
}

interface Waiting {
  readonly text: string;
  readonly done: PromiseWithResolvers<Float32Array>;
}

/** `timeoutMs`: limit for a batch. */
export function createEmbedBatcher(embedder: Embedder, signal: AbortSignal, timeoutMs: number): EmbedBatcher {
  let waiting: Waiting[] = [];
  let running = 0;
  let flushNext = false;
  const full: Waiting[][] = [];

  async function inTime(texts: readonly string[]): Promise<Float32Array[]> {
    const race = new Race("embed", signal, timeoutMs);
    try {
      return await race.against(embedder.embed(texts, "passage", race));
    } finally {
      race.end();
    }
  }

  async function run(batch: readonly Waiting[]): Promise<void> {
    try {
      const texts = batch.map(({ text }) => text);
      const vectors = await inTime(texts);
      for (const [i, { done }] of batch.entries()) {
        const vector = vectors[i];
        if (vector) done.resolve(vector);
        else done.reject(new Error(`${embedder.model} gave ${vectors.length} vectors for ${batch.length} texts`));
      }
    } catch (thrown) {
      for (const { done } of batch) done.reject(thrown);
    }
  }

  function embedWaiting(): void {
    if (waiting.length === 0) return;
    flushNext = false;
    full.push(waiting);
    waiting = [];
    void start();
  }

  async function start(): Promise<void> {
    const batch = running < CALLS ? full.shift() : undefined;
    if (!batch) return;
    running++;
    await run(batch);
    running--;
    if (full.length > 0) void start();
    else if (flushNext) embedWaiting();
  }

  function flush(): void {
    if (running > 0) flushNext = true;
    else embedWaiting();
  }

  return {
    embed(texts) {
      const vectors = texts.map((text) => {
        const done = Promise.withResolvers<Float32Array>();
        waiting.push({ text, done });
        if (waiting.length === BATCH_TEXTS) embedWaiting();
        return done.promise;
      });
      return Promise.all(vectors);
    },
    flush,
  };
}
