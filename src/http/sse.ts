import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { AnswerEvent } from "../types.ts";

/** Aborts when the client hangs up before the response is complete. */
export function clientSignal(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) controller.abort();
  });
  if (request.raw.socket.destroyed) controller.abort();
  return controller.signal;
}

/** What an event looks like on the wire; empty: nothing. */
export type Encode = (event: AnswerEvent) => string;

/**
 * Sends an answer as server-sent events. The first is awaited before the status goes out, so that what fails before it is an
 * ordinary error response.
 */
export async function sendEvents(
  reply: FastifyReply,
  events: AsyncGenerator<AnswerEvent, void, undefined>,
  encode: Encode,
): Promise<FastifyReply> {
  let first = "";
  for (let next = await events.next(); !next.done; next = await events.next()) {
    first = encode(next.value);
    if (first) break;
  }
  return reply
    .header("content-type", "text/event-stream; charset=utf-8")
    .header("cache-control", "no-cache, no-transform")
    .header("x-accel-buffering", "no")
    .send(new EventStream(first, events, encode));
}

/** A `Readable.from` without its intermediate generators: it runs once a token. */
class EventStream extends Readable {
  readonly #events: AsyncGenerator<AnswerEvent, void, undefined>;
  readonly #encode: Encode;
  #pulling = false;

  constructor(first: string, events: AsyncGenerator<AnswerEvent, void, undefined>, encode: Encode) {
    super();
    this.#events = events;
    this.#encode = encode;
    if (first) this.push(first);
  }

  override _read(): void {
    if (!this.#pulling) this.#pull().catch((error: Error) => this.destroy(error));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#events.return().then(
      () => done(error),
      () => done(error),
    );
  }

  async #pull(): Promise<void> {
    this.#pulling = true;
    for (let next = await this.#events.next(); !next.done; next = await this.#events.next()) {
      const text = this.#encode(next.value);
      if (text && !this.push(text)) {
        this.#pulling = false;
        return;
      }
    }
    this.push(null);
  }
}
