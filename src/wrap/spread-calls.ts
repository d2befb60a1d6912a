import { RaglineError } from "../errors.ts";
import { Latency } from "../latency.ts";
import type { CallOptions, EndpointState, Step } from "../types.ts";
import { Breaker, type BreakerOptions, type Outcome } from "./breaker.ts";
import { Hedge, HedgeBudget } from "./hedge.ts";

/** One place that a port is served at. */
export interface Endpoint<P> {
  /** Shown in the status and in metrics, e.g. `10.0.0.7:50051`. */
  readonly name: string;
  readonly port: P;
  /** Whether the endpoint reports that it serves; absent: it reports nothing. Called for every call. */
  serving?(): boolean;
  /** Why it does not serve, for the log. */
  reason?(): string | null;
}

export interface SpreadOptions {
  readonly step: Step;
  readonly balance: "least_outstanding" | "round_robin";
  readonly breaker: BreakerOptions;
  /** Asks a second endpoint as well when the first takes longer than 95 % of calls do. Never for streams. */
  readonly hedge: boolean;
}

/** For this long after a failure an endpoint is only asked if no other can be: a retry should go elsewhere. */
const REST_MS = 1000;

/** One endpoint and what is known of it. */
export class Slot<P> {
  readonly endpoint: Endpoint<P>;
  readonly #breaker: Breaker;
  readonly #slowMs: number;
  #restsUntil = 0;
  #served = true;
  inFlight = 0;
  calls = 0;
  failures = 0;
  hedges = 0;
  hedgesWon = 0;

  constructor(endpoint: Endpoint<P>, breaker: BreakerOptions) {
    this.endpoint = endpoint;
    this.#breaker = new Breaker(breaker);
    this.#slowMs = breaker.slowMs;
  }

  get serving(): boolean {
    return this.endpoint.serving?.() ?? true;
  }

  /** An endpoint that reports that it serves again, usually a restarted process, starts with a clean record. */
  takes(now: number): boolean {
    const { serving } = this;
    if (serving && !this.#served) {
      this.#breaker.reset();
      this.#restsUntil = 0;
    }
    this.#served = serving;
    return serving && this.#breaker.admits(now);
  }

  rests(now: number): boolean {
    return now < this.#restsUntil;
  }

  waitMs(now: number): number {
    return this.#breaker.waitMs(now);
  }

  /** Begins an admitted call. @returns whether it is the breaker's probe */
  begin(): boolean {
    this.calls++;
    this.inFlight++;
    return this.#breaker.begin();
  }

  good(isProbe: boolean, startedAt: number, now: number, mayBeSlow = true): void {
    this.#breaker.end(isProbe, { failed: false, slow: mayBeSlow && now - startedAt >= this.#slowMs }, now);
  }

  bad(isProbe: boolean, startedAt: number, now: number, thrown: unknown): void {
    const outcome = this.#verdict(thrown, now - startedAt);
    if (outcome?.failed) {
      this.failures++;
      const { retryAfterMs = 0 } = thrown as RaglineError;
      this.#restsUntil = now + Math.max(REST_MS, retryAfterMs);
    }
    this.#breaker.end(isProbe, outcome, now);
  }

  /** The caller left before there was a verdict. */
  left(isProbe: boolean): void {
    this.#breaker.end(isProbe, null, performance.now());
  }

  state(step: Step, now: number): EndpointState {
    const { endpoint, serving, inFlight, calls, failures, hedges, hedgesWon } = this;
    const breaker = this.#breaker.state(now);
    return { step, endpoint: endpoint.name, breaker, serving, inFlight, calls, failures, hedges, hedgesWon };
  }

  /**
   * What a failure says of the endpoint. Null, nothing: the caller left, had less time than a call may take, or was sent away
   * by a queue. One that another try cannot mend (a 400) is an answer.
   */
  #verdict(thrown: unknown, ms: number): Outcome | null {
    if (!(thrown instanceof RaglineError)) return null;
    const slow = ms >= this.#slowMs;
    switch (thrown.code) {
      case "dependency_timeout":
        return slow ? { failed: true, slow } : null;
      case "dependency_failed":
        return { failed: thrown.retryable, slow };
      case "cancelled":
      case "overloaded":
        return null;
      default:
        return { failed: false, slow };
    }
  }
}

/** Which endpoint a call goes to, and what became of it. */
export class SpreadCalls<P> {
  readonly slots: readonly Slot<P>[];
  readonly #options: SpreadOptions;
  readonly #latency = new Latency(0.95);
  readonly #budget = new HedgeBudget();
  #turn = 0;

  constructor(endpoints: readonly Endpoint<P>[], options: SpreadOptions) {
    this.#options = options;
    this.slots = endpoints.map((endpoint) => new Slot(endpoint, options.breaker));
  }

  states(): readonly EndpointState[] {
    const now = performance.now();
    return this.slots.map((slot) => slot.state(this.#options.step, now));
  }

  /** A call without haste: never hedged, and counted as slow only if it is cut short. */
  background<T>(call: CallOptions, work: (port: P, call: CallOptions) => Promise<T>): Promise<T> {
    return this.#at(null, call, work, false);
  }

  run<T>(call: CallOptions, work: (port: P, call: CallOptions) => Promise<T>): Promise<T> {
    return this.#options.hedge && this.slots.length > 1 ? this.#run(call, work) : this.#at(null, call, work);
  }

  async #run<T>(call: CallOptions, work: (port: P, call: CallOptions) => Promise<T>): Promise<T> {
    const slot = this.pick(call);
    this.#budget.call();
    const startedAt = performance.now();
    const afterMs = this.#latency.expect(startedAt);
    const isHedged = afterMs > 0 && this.#budget.has();
    const value = await (isHedged ? this.#hedged(slot, call, work, afterMs) : this.#at(slot, call, work));
    const now = performance.now();
    this.#latency.note(now - startedAt, now);
    return value;
  }

  /** @throws RaglineError `dependency_failed`: none serves; `overloaded`: all that do are left alone for a while. */
  pick({ signal }: CallOptions): Slot<P> {
    signal.throwIfAborted();
    const now = performance.now();
    const slot = this.#best(now);
    if (slot) return slot;
    const serving = this.slots.filter((one) => one.serving);
    const waitMs = Math.min(...serving.map((one) => one.waitMs(now)));
    const { step } = this.#options;
    const cause = new Error(this.slots.map(({ endpoint }) => endpoint.reason?.() ?? endpoint.name).join("; "));
    if (serving.length === 0) {
      throw new RaglineError("dependency_failed", `No endpoint of ${step} is serving.`, { step, cause });
    }
    throw new RaglineError("overloaded", `Every endpoint of ${step} keeps failing and is left alone for a while.`, {
      step,
      cause,
      retryAfterMs: Math.max(1, Math.ceil(waitMs)),
    });
  }

  #best(now: number, except?: Slot<P>): Slot<P> | null {
    const { slots } = this;
    this.#turn++;
    let best: Slot<P> | null = null;
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[(this.#turn + i) % slots.length];
      if (slot && slot !== except && slot.takes(now) && (!best || this.#isBetter(slot, best, now))) best = slot;
    }
    return best;
  }

  #isBetter(slot: Slot<P>, than: Slot<P>, now: number): boolean {
    if (slot.rests(now) !== than.rests(now)) return than.rests(now);
    return this.#options.balance === "least_outstanding" && slot.inFlight < than.inFlight;
  }

  /** `chosen` null: at the one that is best now. */
  async #at<T>(
    chosen: Slot<P> | null,
    call: CallOptions,
    work: (port: P, call: CallOptions) => Promise<T>,
    mayBeSlow = true,
  ): Promise<T> {
    const slot = chosen ?? this.pick(call);
    const startedAt = performance.now();
    const isProbe = slot.begin();
    try {
      const value = await work(slot.endpoint.port, call);
      const now = performance.now();
      slot.good(isProbe, startedAt, now, mayBeSlow);
      return value;
    } catch (thrown) {
      const now = performance.now();
      slot.bad(isProbe, startedAt, now, thrown);
      throw this.elsewhere(thrown, slot, now);
    } finally {
      slot.inFlight--;
    }
  }

  #hedged<T>(
    slot: Slot<P>,
    call: CallOptions,
    work: (port: P, call: CallOptions) => Promise<T>,
    afterMs: number,
  ): Promise<T> {
    const hedge = new Hedge<T>(call);
    hedge.add((branch) => this.#at(slot, branch, work));
    hedge.later(afterMs, () => {
      const other = this.#best(performance.now(), slot);
      if (!other || !this.#budget.take()) return;
      other.hedges++;
      hedge.add(
        (branch) => this.#at(other, branch, work),
        () => other.hedgesWon++,
      );
    });
    return hedge.result;
  }

  /** Drops an endpoint's `Retry-After` where another endpoint can take the call. */
  elsewhere(thrown: unknown, slot: Slot<P>, now: number): unknown {
    if (!(thrown instanceof RaglineError) || thrown.retryAfterMs === undefined) return thrown;
    if (!this.slots.some((one) => one !== slot && one.takes(now) && !one.rests(now))) return thrown;
    const { code, message, step, cause, retryable } = thrown;
    return new RaglineError(code, message, { ...(step && { step }), cause, retryable });
  }
}
