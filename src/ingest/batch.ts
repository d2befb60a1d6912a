import { setImmediate } from "node:timers/promises";
import { RaglineError } from "../errors.ts";
import type { Embedder } from "../ports/embedder.ts";
import { Caller, Race } from "../race.ts";
import { nonZero } from "../statistics.ts";

/** Texts a call of the embedder. */
const BATCH_TEXTS = 64;
/** Calls under way: the next is there when one ends, and none spends its time limit waiting for others. */
const RUNNING_MAX = 2;
const TIMEOUT_MS = 60_000;

/** Gathers texts of several documents into full batches. */
export interface EmbedBatcher {
  /**
   * Resolves when all of them are embedded; they may wait for others until `flush`. Null: a text in which the model knows nothing has no
   * direction to be searched by.
   */
  embed(texts: readonly string[]): Promise<(Float32Array | null)[]>;
  /** Embeds what is waiting, full batch or not: at once, or when a batch under way is done, so that batches can fill. */
  flush(): void;
}

interface Waiting {
  readonly text: string;
  readonly done: PromiseWithResolvers<Float32Array | null>;
}

/** `timeoutMs`: limit for a batch. */
export function createEmbedBatcher(embedder: Embedder, signal: AbortSignal, timeoutMs = TIMEOUT_MS): EmbedBatcher {
  const waiting: Waiting[] = [];
  let running = 0;
  let isFlushing = false;
  let turn: Promise<void> = Promise.resolve();

  async function inTime(texts: readonly string[]): Promise<Float32Array[]> {
    const race = new Race("embed", new Caller(signal), timeoutMs);
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
      if (vectors.length !== texts.length) {
        const message = `${embedder.model} gave ${vectors.length} vectors for ${texts.length} texts`;
        throw new RaglineError("dependency_failed", message);
      }
      for (const [i, { done }] of batch.entries()) done.resolve(nonZero(vectors[i]));
    } catch (thrown) {
      for (const { done } of batch) done.reject(thrown);
    }
  }

  /** Starts what may start; a batch that is not full only where it is asked for and no other is under way, or one has just ended. */
  function next(hasEnded: boolean): void {
    while (running < RUNNING_MAX && waiting.length > 0) {
      const mayBePart = isFlushing && (running === 0 || hasEnded);
      if (waiting.length < BATCH_TEXTS && !mayBePart) return;
      const batch = waiting.splice(0, BATCH_TEXTS);
      if (waiting.length === 0) isFlushing = false;
      running++;
      void start(batch);
    }
  }

  /** An embedder may work on this thread: others are served between two batches. */
  async function start(batch: readonly Waiting[]): Promise<void> {
    turn = turn.then(() => setImmediate());
    await turn;
    await run(batch);
    running--;
    next(true);
  }

  return {
    embed(texts) {
      const vectors = texts.map((text) => {
        const done = Promise.withResolvers<Float32Array | null>();
        waiting.push({ text, done });
        return done.promise;
      });
      next(false);
      return Promise.all(vectors);
    },
    flush() {
      isFlushing = waiting.length > 0;
      next(false);
    },
  };
}
