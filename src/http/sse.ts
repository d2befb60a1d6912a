import { Readable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { AnswerEvent } from "../types.ts";

/** Aborts when the client hangs up before the response is complete, and when the server stops answering. */
export function clientSignal(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  const over = request.server.answers.add(controller);
  reply.raw.once("close", () => {
    over();
    if (!reply.raw.writableFinished) controller.abort();
  });
  if (request.raw.socket.destroyed) controller.abort();
  return controller.signal;
}

type Events = AsyncGenerator<AnswerEvent, void, undefined>;

/** What an event looks like on the wire; empty: nothing. */
export type Encode = (event: AnswerEvent) => string;

/**
 * Sends an answer as server-sent events. The first is awaited before the status goes out, so that what fails before it is an
 * ordinary error response.
 */
export async function sendEvents(
  reply: FastifyReply,
  events: Events,
  encode: Encode,
  stallTimeoutMs: number,
): Promise<FastifyReply> {
  let first = "";
  for (let next = await events.next(); !next.done; next = await events.next()) {
    first = encode(next.value);
    if (first) break;
  }
  const stream = new EventStream(first, events, encode, stallTimeoutMs);
  // The pipeline's next call is on its way before the head is written.
  await nextTurn();
  return reply
    .header("content-type", "text/event-stream; charset=utf-8")
    .header("cache-control", "no-cache, no-transform")
    .header("x-accel-buffering", "no")
    .send(stream);
}

/**
 * Reads one event ahead: the pipeline goes on while an event is written. Runs once a token. A client that reads nothing for
 * `stallTimeoutMs` is given up, and its answer with it.
 */
class EventStream extends Readable {
  readonly #events: Events;
  readonly #encode: Encode;
  #next: Promise<IteratorResult<AnswerEvent, void>>;
  readonly #stallTimeoutMs: number;
  #stalled: NodeJS.Timeout | undefined;
  #pulling = false;

  constructor(first: string, events: Events, encode: Encode, stallTimeoutMs: number) {
    super();
    this.#stallTimeoutMs = stallTimeoutMs;
    this.#events = events;
    this.#encode = encode;
    this.#next = this.#advance();
    if (first) this.push(first);
  }

  override _read(): void {
    clearTimeout(this.#stalled);
    if (!this.#pulling) this.#pull().catch((error: Error) => this.destroy(error));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#stalled);
    this.#events.return().then(
      () => done(error),
      () => done(error),
    );
  }

  #advance(): Promise<IteratorResult<AnswerEvent, void>> {
    const next = this.#events.next();
    // Whoever reads it hears of a failure; nobody does once the client has left.
    next.catch(() => undefined);
    return next;
  }

  async #pull(): Promise<void> {
    this.#pulling = true;
    for (let next = await this.#next; !next.done; next = await this.#next) {
      this.#next = this.#advance();
      const text = this.#encode(next.value);
      if (text && !this.push(text)) {
        this.#pulling = false;
        this.#stalled = setTimeout(() => this.destroy(), this.#stallTimeoutMs);
        return;
      }
    }
    this.push(null);
  }
}
