import { type ChildProcess, fork } from "node:child_process";
import { RaglineError } from "../../errors.ts";
import type { GenerateRequest } from "../../ports/language-model.ts";
import { LlamaCall } from "./call.ts";
import type { FromLlama, LlamaSettings, ToLlama } from "./protocol.ts";

export interface WorkerLimits {
  /** For loading the model. */
  readonly startMs: number;
  /** For a cancelled call to end: a process that does not answer so long hangs, and is killed. */
  readonly cancelMs: number;
}

/** Of what a dying process wrote, kept for the log. */
const STDERR_CHARS_MAX = 2000;

/** One process with a loaded model. It may die at any time; whoever was being answered is told, and it is not started again. */
export class LlamaWorker {
  /** Resolves when the model is loaded. @throws RaglineError `config_invalid`, `dependency_failed` */
  readonly ready: Promise<void>;
  /** Resolves when the process is gone. */
  readonly gone: Promise<void>;
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, LlamaCall>();
  readonly #limits: WorkerLimits;
  #lastId = 0;
  #lastWords = "";
  #unusable: string | null = null;

  constructor(settings: LlamaSettings, limits: WorkerLimits) {
    this.#limits = limits;
    // Built code runs as .js, the source tree directly as .ts.
    const script = new URL(`./process${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
    this.#child = fork(script, [JSON.stringify(settings)], {
      execArgv: ["--no-warnings"],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      env: { NODE_LLAMA_CPP_SKIP_DOWNLOAD: "true" },
    });
    const ready = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    this.ready = ready.promise;
    this.gone = gone.promise;
    const overdue = setTimeout(() => this.kill(), limits.startMs);
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#lastWords = (this.#lastWords + text).slice(-STDERR_CHARS_MAX);
    });
    this.#child.on("message", (message: FromLlama) => {
      if (message.type === "ready") {
        clearTimeout(overdue);
        ready.resolve();
      } else this.#onMessage(message);
    });
    const onEnd = (how: string) => {
      clearTimeout(overdue);
      ready.reject(this.#startFailure(how));
      for (const call of this.#calls.values()) call.broken(this.#death(how));
      this.#calls.clear();
      gone.resolve();
    };
    this.#child.once("error", (cause) => onEnd(cause.message));
    this.#child.once("close", (code, signal) => onEnd(signal ?? `exit code ${code}`));
    // Whoever awaits it hears of it; nobody may.
    this.ready.catch(() => undefined);
  }

  /** Id of the process. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Begins an answer. Only for a worker that is ready and has a sequence free. */
  generate({ messages, maxOutputTokens }: GenerateRequest): LlamaCall {
    const id = ++this.#lastId;
    const call = new LlamaCall(() => this.#cancel(id));
    this.#calls.set(id, call);
    this.#send({ type: "generate", id, messages, maxOutputTokens });
    return call;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #cancel(id: number): void {
    const call = this.#calls.get(id);
    if (!call) return;
    this.#send({ type: "cancel", id });
    const overdue = setTimeout(() => this.kill(), this.#limits.cancelMs);
    void call.over.then(() => clearTimeout(overdue));
  }

  #send(message: ToLlama): void {
    // A process that is gone says so by its "close".
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  #onMessage(message: FromLlama): void {
    switch (message.type) {
      case "text":
        this.#calls.get(message.id)?.onText(message.text);
        return;
      case "outcome":
        this.#calls.get(message.id)?.onOutcome(message.outcome);
        this.#calls.delete(message.id);
        return;
      case "unusable":
        this.#unusable = message.reason;
        this.kill();
    }
  }

  #startFailure(how: string): RaglineError {
    if (this.#unusable !== null) {
      return new RaglineError("config_invalid", `generate.model: the model cannot be loaded: ${this.#unusable}`);
    }
    const message = `The model's process ended while it loaded the model (${how}).`;
    return new RaglineError("dependency_failed", message, { cause: new Error(this.#lastWords) });
  }

  #death(how: string): RaglineError {
    const message = "The model's process ended in the middle of an answer; it is started again.";
    return new RaglineError("dependency_failed", message, { cause: new Error(`${how} ${this.#lastWords}`) });
  }
}
