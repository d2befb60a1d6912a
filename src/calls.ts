import type { Logger } from "pino";
import { z } from "zod";
import type { CallerOptions } from "./api.ts";
import { groupName } from "./config/callers.ts";
import { storedText, tenantName, userName } from "./config/fields.ts";
import type { Config } from "./config.ts";
import { RaglineError } from "./errors.ts";
import { Pace } from "./pace.ts";
import type { Settings } from "./pipeline/stages.ts";
import { idempotencyKey, parseRequest } from "./requests.ts";
import { Run, type RunOptions } from "./run.ts";
import type { RunObserver } from "./run-observer.ts";
import { loggable } from "./telemetry/loggable.ts";
import type { CallOptions, Scope } from "./types.ts";

type Observed = Pick<RunOptions, "observer" | "tracer">;

/** As `CallerOptions` has them; what else there is belongs to the method. */
const callerOptions = z.looseObject(
  {
    signal: z.custom<AbortSignal>(isSignal, "must be an AbortSignal").optional(),
    tenant: tenantName.optional(),
    user: userName.optional(),
    groups: z.array(groupName).optional(),
    name: storedText(128).min(1).optional(),
    requestId: storedText(128).min(1).optional(),
    idempotencyKey: idempotencyKey.optional(),
    route: z.string().max(128).optional(),
  },
  "options: must be an object",
);

/** What every call of the library has: a scope to work in, a deadline, and somebody to tell of failures. */
export class Calls {
  readonly #config: Config;
  readonly #settings: Settings;
  readonly #log: Logger;
  readonly #observer: RunObserver;
  readonly #pace = new Pace();
  #closed: string | undefined;

  constructor(config: Config, settings: Settings, log: Logger, observer: RunObserver) {
    this.#config = config;
    this.#settings = settings;
    this.#log = log;
    this.#observer = observer;
  }

  /** @throws RaglineError `request_invalid`: an option is not what it must be; `overloaded`: all is closed */
  scope(collection: string | undefined, caller: CallerOptions): Scope {
    if (this.#closed !== undefined) throw new RaglineError("overloaded", this.#closed);
    const { tenant = this.#config.tenant, groups = [], user } = parseRequest(callerOptions, caller);
    return { tenant, collection: collection ?? this.#config.collection, groups, ...(user !== undefined && { user }) };
  }

  /** No scope is given out any more, for this reason. */
  close(reason: string): void {
    this.#closed = reason;
  }

  /** For a question: what has no time left is not begun. */
  ask(caller: CallerOptions, timeoutMs: number | undefined, observed: Observed): Run {
    const run = this.run(caller, timeoutMs, observed, this.#pace);
    run.begin();
    return run;
  }

  run(
    caller: CallerOptions,
    timeoutMs = this.#settings.timeoutMs,
    observed: Observed = { observer: this.#observer },
    pace = new Pace(),
  ): Run {
    return new Run({
      ...observed,
      signal: caller.signal ?? new AbortController().signal,
      timeoutMs,
      pace,
      limitsMs: this.#settings.limitsMs,
      onFailure: (error) => {
        if (error.status < 500) return;
        const { code, step, message, cause } = error;
        const err = loggable(cause, this.#config.log.content);
        this.#log.warn({ requestId: caller.requestId, code, step, err }, message);
      },
    });
  }

  /** One call of a store, under its step's limit. */
  store<T>(
    step: "search" | "session",
    caller: CallerOptions,
    call: (options: CallOptions) => Promise<T> | T,
  ): Promise<T> {
    return this.run(caller).must(step, call);
  }
}

/** Also one of another realm, or of a library. */
function isSignal(value: unknown): boolean {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>;
  return typeof aborted === "boolean" && typeof addEventListener === "function";
}
