import type { EventEmitter } from "node:events";
import type { FastifyReply, FastifyRequest } from "fastify";
import { RaglineError, RETRY_AFTER_MS } from "../errors.ts";
import type { Metrics } from "../telemetry/metrics.ts";

declare module "fastify" {
  interface FastifyInstance {
    readonly admission: Admission;
  }
}

/** How many requests begin in one turn of the event loop. */
const PER_TURN = 4;
/**
 * Turns that may pass for taking connections alone. Node takes one a turn: if each began its request at once, turns would be as long as
 * requests, and the others would wait in the system's line, where nobody sees or refuses them.
 */
const ACCEPTING_TURNS_MAX = 16;
/** Share of the longest wait that applies while the queue does not empty: whoever is served is served soon, the others are refused at once. */
const STANDING_SHARE = 0.1;

interface Waiting {
  readonly request: FastifyRequest;
  readonly since: number;
  readonly begin: (error?: RaglineError) => void;
}

/**
 * The line before the work. A request that finds nobody in it begins at once; else they begin in their order, a few a turn, and one that
 * has waited `waitMaxMs` is refused: `overloaded`. A line that has stood for so long is no burst, but more than the process can do,
 * and a tenth of that is the limit until it is empty again (controlled delay: Nichols and Jacobson, 2012; for servers: Maurer, Fail at
 * Scale, 2015).
 */
export class Admission {
  readonly #waitMaxMs: number;
  readonly #metrics: Pick<Metrics, "waiting" | "waited">;
  readonly #line: Waiting[] = [];
  /** When the queue was last empty. */
  #standsSince = 0;
  #hasTurn = false;
  #begun = 0;
  #hasAccepted = false;
  #acceptingTurns = 0;

  constructor(server: EventEmitter, waitMaxMs: number, metrics: Pick<Metrics, "waiting" | "waited">) {
    this.#waitMaxMs = waitMaxMs;
    this.#metrics = metrics;
    server.on("connection", () => {
      this.#hasAccepted = true;
      this.#expectTurn();
    });
  }

  /** Fastify's `onRequest`. */
  readonly enter = (request: FastifyRequest, _reply: FastifyReply, begin: (error?: Error) => void): void => {
    this.#expectTurn();
    if (this.#line.length === 0 && !this.#hasAccepted && this.#begun < PER_TURN) {
      this.#begun++;
      begin();
      return;
    }
    const since = performance.now();
    if (this.#line.length === 0) this.#standsSince = since;
    this.#line.push({ request, since, begin });
    this.#metrics.waiting(this.#line.length);
  };

  #expectTurn(): void {
    if (this.#hasTurn) return;
    this.#hasTurn = true;
    setImmediate(() => this.#turn());
  }

  /** Runs at the end of each turn of the event loop in which a request arrived. */
  #turn(): void {
    this.#hasTurn = false;
    const isAccepting = this.#hasAccepted && this.#acceptingTurns < ACCEPTING_TURNS_MAX;
    this.#acceptingTurns = isAccepting ? this.#acceptingTurns + 1 : 0;
    this.#hasAccepted = false;
    this.#begun = 0;
    if (this.#line.length > 0) this.#advance(isAccepting ? 0 : PER_TURN);
  }

  #advance(places: number): void {
    const now = performance.now();
    const limitMs = this.#waitMaxMs * (now - this.#standsSince > this.#waitMaxMs ? STANDING_SHARE : 1);
    const refused: Waiting[] = [];
    const begun: Waiting[] = [];
    let taken = 0;
    for (const one of this.#line) {
      const isLate = now - one.since > limitMs;
      if (isLate) refused.push(one);
      // Of a client that has left nothing begins.
      else if (!one.request.raw.socket.destroyed) {
        if (begun.length === places) break;
        begun.push(one);
      }
      taken++;
    }
    this.#line.splice(0, taken);
    this.#begun = begun.length;
    this.#metrics.waiting(this.#line.length);
    if (this.#line.length > 0 || begun.length > 0) this.#expectTurn();
    for (const { since, begin } of refused) {
      this.#metrics.waited(now - since);
      begin(
        new RaglineError("overloaded", "More is asked than this process can answer.", { retryAfterMs: RETRY_AFTER_MS }),
      );
    }
    for (const { since, begin } of begun) {
      this.#metrics.waited(now - since);
      begin();
    }
  }
}
