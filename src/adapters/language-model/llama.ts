import { basename, resolve } from "node:path";
import { RaglineError } from "../../errors.ts";
import { Permits } from "../../permits.ts";
import type { LanguageModel } from "../../ports/language-model.ts";
import { readGguf } from "../llama/gguf.ts";
import type { LlamaSettings } from "../llama/protocol.ts";
import { LlamaWorker, type WorkerLimits } from "../llama/worker.ts";

export interface LlamaOptions extends Omit<LlamaSettings, "file"> {
  /** Path of a GGUF file. */
  readonly model: string;
  /** Callers who may wait for a sequence. */
  readonly waitingMax: number;
  /** Given a look at how many wait. */
  readonly watchQueue?: (waiting: () => number) => void;
}

export const LLAMA_LIMITS: WorkerLimits = { startMs: 120_000, cancelMs: 10_000 };
/** A model that could not be loaded is not tried again sooner. */
const PAUSE_MS = 1000;

export interface LlamaLanguageModel extends LanguageModel {
  /** Id of the model's process, where one runs. */
  pid(): number | undefined;
  close(): Promise<void>;
}

/**
 * A GGUF file answers, in a process beside this one (node-llama-cpp, CPU). The process is started by `warm` or the first answer, and
 * again when it died; a sequence is free as soon as its caller left.
 * @throws RaglineError `config_invalid`: no such file, no GGUF, a window that the model has not.
 */
export async function createLlamaLanguageModel(
  { model: path, waitingMax, watchQueue, ...options }: LlamaOptions,
  limits: WorkerLimits = LLAMA_LIMITS,
): Promise<LlamaLanguageModel> {
  const file = resolve(path);
  const { contextTokensTrained } = await readGguf(file);
  const { contextTokensMax, sequences } = options;
  if (contextTokensMax > contextTokensTrained) {
    const message = `generate.contextTokensMax: ${contextTokensMax} is more than the ${contextTokensTrained} tokens that ${path} was trained with.`;
    throw new RaglineError("config_invalid", message);
  }
  const permits = new Permits({
    concurrencyMax: sequences,
    queueMax: waitingMax,
    setting: "generate.waitingMax",
    watchQueue,
  });
  const process = restarting(() => new LlamaWorker({ file, ...options }, limits));
  return {
    model: basename(file, ".gguf"),
    contextTokensMax,
    async warm({ signal }) {
      await abortable(process.worker(), signal);
    },
    missing: () => (process.isReady() ? null : "the model is not loaded (yet)"),
    pid: process.pid,
    async *stream(request, options) {
      const { signal } = options;
      const { free } = await permits.take(options);
      let over: Promise<void> | null = null;
      try {
        const worker = await abortable(process.worker(), signal);
        const call = worker.generate(request);
        over = call.over;
        yield* call.deltas(signal);
      } finally {
        // The reader need not wait for the process to let go.
        if (over) void over.then(() => free());
        else free();
      }
    },
    close: process.close,
  };
}

/** Keeps one worker: the first is started when asked for, the next as soon as one that was ready has died. */
function restarting(start: () => LlamaWorker) {
  let current: LlamaWorker | null = null;
  let failedAt = Number.NEGATIVE_INFINITY;
  let ready: LlamaWorker | null = null;
  let isClosed = false;

  async function worker(): Promise<LlamaWorker> {
    if (isClosed) throw new RaglineError("dependency_failed", "The model is closed.", { retryable: false });
    if (!current && performance.now() - failedAt < PAUSE_MS) {
      throw new RaglineError(
        "dependency_failed",
        "The model's process could not be started; it is tried again shortly.",
      );
    }
    const opened = current ?? begin();
    await opened.ready;
    return opened;
  }

  function begin(): LlamaWorker {
    const opened = start();
    current = opened;
    opened.ready.then(
      () => {
        ready = opened;
      },
      () => {
        failedAt = performance.now();
      },
    );
    void opened.gone.then(() => {
      const wasReady = ready === opened;
      ready = null;
      current = null;
      if (wasReady && !isClosed) begin();
    });
    return opened;
  }

  return {
    worker,
    isReady: () => ready !== null,
    pid: () => current?.pid,
    async close() {
      isClosed = true;
      current?.kill();
      await current?.gone;
    },
  };
}

function abortable<T>(pending: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  pending.then(resolve, reject);
  return promise.finally(() => signal.removeEventListener("abort", onAbort));
}
