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

/**
 * Sends a stream of server-sent events. The first piece is awaited before the status goes out, so that what fails before it
 * is an ordinary error response.
 */
export async function sendEvents(
  reply: FastifyReply,
  pieces: AsyncGenerator<string, void, undefined>,
): Promise<FastifyReply> {
  const first = await pieces.next();
  const stream = Readable.from(from(first, pieces), { objectMode: false, highWaterMark: 16 * 1024 });
  return reply
    .header("content-type", "text/event-stream; charset=utf-8")
    .header("cache-control", "no-cache, no-transform")
    .header("x-accel-buffering", "no")
    .send(stream);
}

export function eventText(event: AnswerEvent): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

async function* from(
  first: IteratorResult<string, void>,
  rest: AsyncGenerator<string, void, undefined>,
): AsyncGenerator<string, void, undefined> {
  try {
    if (first.done) return;
    yield first.value;
    yield* rest;
  } finally {
    await rest.return();
  }
}
