import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { canPin, LOAD_CORE, waitedMs } from "./cores.ts";

/** What a child process does when told to; arguments and results are structured-cloned. */
export type Commands = Record<string, (...values: never[]) => unknown>;

interface Request {
  readonly id: number;
  readonly command: string;
  readonly values: readonly unknown[];
}

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/**
 * Of the harness's own processes, so that they need not collect garbage while something is measured, and no threads of V8's
 * contend for the core when they do. Never of a system under test, which runs as it is served.
 */
const HARNESS_OPTIONS = ["--expose-gc", "--single-threaded-gc", "--min-semi-space-size=64", "--max-semi-space-size=64"];

/** A process that runs one of this folder's scripts, on one core where that is possible. */
export class Child<C extends Commands> {
  readonly #process: ChildProcess;
  readonly #name: string;
  readonly #pending = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #lastId = 0;

  constructor(
    name: string,
    script: string,
    core: number,
    values: readonly string[] = [],
    ownOptions: readonly string[] = [],
  ) {
    const nodeOptions = [...(core === LOAD_CORE ? HARNESS_OPTIONS : []), ...ownOptions];
    const pin = canPin
      ? { execPath: "taskset", execArgv: ["-c", String(core), process.execPath, ...nodeOptions] }
      : { execArgv: [...nodeOptions] };
    this.#name = name;
    this.#process = fork(fileURLToPath(new URL(script, import.meta.url)), [...values], {
      ...pin,
      serialization: "advanced",
    });
    this.#process.on("message", (reply: Reply) => this.#settle(reply));
    this.#process.on("exit", (code) => this.#fail(`ended with exit code ${code}`));
    this.#process.on("error", (error) => this.#fail(error.message));
  }

  call<K extends keyof C & string>(command: K, ...values: Parameters<C[K]>): Promise<Awaited<ReturnType<C[K]>>> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#process.send({ id, command, values } satisfies Request);
    });
  }

  stop(): void {
    this.#pending.clear();
    if (this.#process.connected) this.#process.disconnect();
  }

  #settle({ id, result, error }: Reply): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error === undefined) pending?.resolve(result);
    else pending?.reject(new Error(`${this.#name}: ${error}`));
  }

  #fail(reason: string): void {
    for (const { reject } of this.#pending.values()) reject(new Error(`${this.#name} ${reason}`));
    this.#pending.clear();
  }
}

/** In a child: carries out what the parent asks for; ends when the parent does, after `beforeExit`. */
export function answerParent(commands: Commands, beforeExit: () => Promise<void> | void = () => undefined): void {
  process.on("message", async ({ id, command, values }: Request) => {
    try {
      const run = commands[command] as (...values: readonly unknown[]) => unknown;
      process.send?.({ id, result: await run(...values) } satisfies Reply);
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
  process.on("disconnect", async () => {
    try {
      await beforeExit();
    } finally {
      process.exit();
    }
  });
  // Ctrl-C reaches the whole group; the parent decides.
  process.on("SIGINT", () => undefined);
}

export interface ProcessUsage {
  /** User and system time of all threads since the start. */
  readonly cpuMs: number;
  readonly peakRssMb: number;
  /** See `cores.ts`. */
  readonly waitedMs: number;
}

export function processUsage(): ProcessUsage {
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1000, peakRssMb: process.resourceUsage().maxRSS / 1024, waitedMs: waitedMs() };
}
