import { type ChildProcess, fork } from "node:child_process";
import { setPriority } from "node:os";
import { RaglineError } from "../../errors.ts";
import type { ModelCounts } from "../../types.ts";
import type { ModelInput, ModelOutput } from "./inference.ts";
import type { FromModel, ToModel } from "./model-child.ts";
import type { ModelSpec } from "./model-files.ts";

export interface ModelProcessOptions {
  /** What it is called in messages. */
  readonly name: string;
  /** A batch that takes longer ends the process. */
  readonly batchTimeoutMs: number;
}

/** After a process that did not live for long the next one waits, twice as long each time. */
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 60_000;
const LONG_LIFE_MS = 60_000;
/** Loading that takes longer ends the process too. */
const LOADING_MS = 120_000;
/** The server's own threads come first where cores are few. */
const PRIORITY = 5;
/** Kept of what the process writes to its standard error, for the log. */
const LAST_WORDS = 2000;

interface Waiting {
  resolve(output: ModelOutput): void;
  reject(error: Error): void;
}

/**
 * A model in a process of its own: whatever happens to it, this one goes on. It is started by the first call or by `start`;
 * when it ends, calls in flight fail with `dependency_failed`, and the next call starts another. Where processes end within
 * a minute of their start, the first is replaced at once and the following ones after 0.5, 1, 2 … 60 seconds, in which calls
 * fail at once. Batches are read in the order of the calls, one at a time.
 */
export class ModelProcess {
  readonly #spec: ModelSpec;
  readonly #options: ModelProcessOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #loaded: { resolve(): void; reject(error: Error): void }[] = [];
  #child: ChildProcess | null = null;
  #isLoaded = false;
  #isClosed = false;
  #problem: string | null = null;
  #startedAt = 0;
  #shortLives = 0;
  #notBefore = 0;
  #nextId = 0;
  #timer: NodeJS.Timeout | undefined;
  #counts = { batches: 0, inputs: 0, tokens: 0, cut: 0, starts: 0 };

  constructor(spec: ModelSpec, options: ModelProcessOptions) {
    this.#spec = spec;
    this.#options = options;
  }

  counts(): ModelCounts {
    return { ...this.#counts };
  }

  /** What keeps calls from being answered now. */
  problem(): string | null {
    if (this.#isLoaded) return null;
    return this.#problem ?? (this.#child ? `${this.#options.name} is being loaded` : null);
  }

  /** The process's id while there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when the model is loaded. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const child = this.#running();
    if (this.#isLoaded) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#loaded.push({ resolve, reject });
    child.ref();
    await untilAborted(promise, signal);
  }

  /**
   * A caller who leaves is let go at once; its batch ends by itself.
   * @throws RaglineError `dependency_failed`, worth another try unless the model itself refuses the inputs.
   */
  async run(inputs: readonly ModelInput[], signal: AbortSignal): Promise<ModelOutput> {
    signal.throwIfAborted();
    const child = this.#running();
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<ModelOutput>();
    this.#waiting.set(id, { resolve, reject });
    if (this.#waiting.size === 1) {
      child.ref();
      child.channel?.ref();
      if (this.#isLoaded) this.#watch();
    }
    send(child, { id, inputs });
    return untilAborted(promise, signal);
  }

  close(): void {
    this.#isClosed = true;
    this.#end(this.#child, "was closed");
  }

  #running(): ChildProcess {
    if (this.#child) return this.#child;
    if (this.#isClosed) throw this.#failure("was closed");
    const waitMs = this.#notBefore - performance.now();
    if (waitMs > 0)
      throw this.#failure(`${this.#problem ?? "ended"}; it is started again in ${Math.ceil(waitMs / 1000)} s`);
    return this.#start();
  }

  #start(): ChildProcess {
    // Built code runs as .js, the source tree directly as .ts.
    const script = new URL(`./model-child${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
    const child = fork(script, {
      execArgv: ["--no-warnings"],
      serialization: "advanced",
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      env: {},
    });
    let lastWords = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      lastWords = (lastWords + text).slice(-LAST_WORDS);
    });
    (child.stderr as { unref?(): void } | null)?.unref?.();
    child.on("message", (message: FromModel) => this.#receive(child, message));
    child.once("exit", (code, signal) =>
      this.#end(child, `ended (${signal ?? `code ${code}`})`, lastWords || undefined),
    );
    child.once("error", (cause) => this.#end(child, "could not be run", cause));
    if (child.pid !== undefined) lower(child.pid);
    this.#child = child;
    this.#startedAt = performance.now();
    this.#counts.starts++;
    send(child, { load: this.#spec });
    this.#watch(LOADING_MS);
    return child;
  }

  #receive(child: ChildProcess, message: FromModel): void {
    if (child !== this.#child) return;
    if ("unloadable" in message) {
      this.#end(child, `cannot be loaded from ${this.#spec.folder}`, message.unloadable);
      return;
    }
    if ("loaded" in message) {
      this.#isLoaded = true;
      this.#problem = null;
      for (const { resolve } of this.#loaded.splice(0)) resolve();
    } else this.#answer(message);
    if (this.#waiting.size > 0) this.#watch();
    else {
      clearTimeout(this.#timer);
      child.unref();
      child.channel?.unref();
    }
  }

  #answer(message: Extract<FromModel, { readonly id: number }>): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ("failed" in message) {
      const error = this.#failure("refused a batch", message.failed, false);
      waiting?.reject(error);
      return;
    }
    const { values, width, tokens, cut } = message.output;
    this.#counts.batches++;
    this.#counts.inputs += width > 0 ? values.length / width : 0;
    this.#counts.tokens += tokens;
    this.#counts.cut += cut;
    waiting?.resolve(message.output);
  }

  /** From now on, for what the process does next. */
  #watch(limitMs = this.#options.batchTimeoutMs): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end(this.#child, `did not answer within ${limitMs} ms`), limitMs);
    this.#timer.unref();
  }

  #end(child: ChildProcess | null, reason: string, cause?: unknown): void {
    if (child !== this.#child || (!child && !this.#isClosed)) return;
    clearTimeout(this.#timer);
    child?.kill("SIGKILL");
    this.#child = null;
    this.#isLoaded = false;
    const error = this.#failure(reason, cause);
    this.#problem = `${this.#options.name} ${reason}`;
    const now = performance.now();
    this.#shortLives = now - this.#startedAt < LONG_LIFE_MS ? this.#shortLives + 1 : 1;
    this.#notBefore =
      this.#shortLives < 2 ? now : now + Math.min(FIRST_WAIT_MS * 2 ** (this.#shortLives - 2), LONGEST_WAIT_MS);
    for (const { reject } of this.#loaded.splice(0)) reject(error);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #failure(reason: string, cause?: unknown, retryable = true): RaglineError {
    const options = {
      retryable,
      ...(cause !== undefined && { cause: cause instanceof Error ? cause : new Error(String(cause)) }),
    };
    const what = reason.startsWith(this.#options.name) ? reason : `${this.#options.name} ${reason}`;
    return new RaglineError("dependency_failed", `The model ${what}.`, options);
  }
}

function send(child: ChildProcess, message: ToModel): void {
  // A process that is gone says so by its exit.
  child.send(message, () => undefined);
}

function lower(pid: number): void {
  try {
    setPriority(pid, PRIORITY);
  } catch {
    // Not every system lets one; it runs at the server's priority then.
  }
}

async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const left = Promise.withResolvers<never>();
  const onAbort = () => left.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, left.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    promise.catch(() => undefined);
  }
}
