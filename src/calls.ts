import type { Logger } from "pino";
import { z } from "zod";
import type { CallerOptions } from "./api.ts";
import { tenantName } from "./config/fields.ts";
import type { Config } from "./config.ts";
import { Pace } from "./pace.ts";
import type { Settings } from "./pipeline/stages.ts";
import { parseRequest } from "./requests.ts";
import { Run, type RunObserver, type RunOptions } from "./run.ts";
import { loggable } from "./telemetry/loggable.ts";
import type { CallOptions, Scope } from "./types.ts";

type Observed = Pick<RunOptions, "observer" | "tracer">;

const callerGroups = z.array(z.string().normalize("NFC"));

/** What every call of the library has: a scope to work in, a deadline, and somebody to tell of failures. */
export class Calls {
  readonly #config: Config;
  readonly #settings: Settings;
  readonly #log: Logger;
  readonly #observer: RunObserver;
  readonly #pace = new Pace();

  constructor(config: Config, settings: Settings, log: Logger, observer: RunObserver) {
    this.#config = config;
    this.#settings = settings;
    this.#log = log;
    this.#observer = observer;
  }

  /** @throws RaglineError `request_invalid`: the caller's tenant is no name of one, or its groups no list of names */
  scope(collection: string | undefined, caller: CallerOptions): Scope {
    const { tenant } = caller;
    return {
      tenant: tenant === undefined ? this.#config.tenant : parseRequest(tenantName, tenant, "tenant"),
      collection: collection ?? this.#config.collection,
      groups: parseRequest(callerGroups, caller.groups ?? [], "groups"),
    };
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
