import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { callsSent } from "../calls-sent.ts";
import { errorOf } from "../errors.ts";
import type { AnswerEvent } from "../types.ts";
import { whenOver } from "./over.ts";

/** Aborts when the client hangs up before the response is complete, and when the server stops answering. */
export function clientSignal(request: FastifyRequest, reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  const over = request.server.answers.add(controller);
  whenOver(request, reply, () => {
    over();
    if (!reply.raw.writableFinished) controller.abort();
  });
  if (request.raw.socket.destroyed) controller.abort();
  return controller.signal;
}

type Events = AsyncGenerator<AnswerEvent, void, undefined>;

const SSE_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
};

/** What an event looks like on the wire; empty: nothing. */
export type Encode = (event: AnswerEvent) => string;

/**
 * Sends an answer as server-sent events. The first that is anything on the wire is awaited before the status goes out: a failure
 * before it, or that would be it, is an ordinary error response. The pipeline goes on while a client reads; one event is read
 * ahead. A client that reads nothing for `stallTimeoutMs` is given up, and its answer with it. Writes to Node's response, as this
 * runs once a token.
 */
export async function sendEvents(
  reply: FastifyReply,
  events: Events,
  encode: Encode,
  stallTimeoutMs: number,
): Promise<void> {
  const { raw } = reply;
  let text = "";
  for (let item = await events.next(); !item.done; item = await events.next()) {
    text = encode(item.value);
    if (!text) continue;
    if (item.value.type !== "answer-error") break;
    await events.return();
    throw errorOf(item.value.error);
  }
  let next = events.next();
  await meanwhile(next, callsSent());
  reply.hijack();
  raw.writeHead(200, { ...(reply.getHeaders() as OutgoingHttpHeaders), ...SSE_HEADERS });
  const over = reply.server.heartbeats.add(raw);
  try {
    if (text) writeSoon(raw, text);
    for (let item = await next; !item.done && !raw.destroyed; item = await next) {
      const { value } = item;
      if (value.type === "source-list") {
        // They are long: the model's call goes out before them.
        next = events.next();
        await meanwhile(next, callsSent());
      }
      text = encode(value);
      const write = value.type === "text-delta" ? writeAtOnce : writeSoon;
      const isFull = text !== "" && !write(raw, text);
      if (value.type !== "source-list") next = events.next();
      if (isFull) await meanwhile(next, drained(raw, stallTimeoutMs));
    }
    raw.end();
  } catch (error) {
    reply.log.error({ err: error }, "an answer broke off");
    raw.destroy();
  } finally {
    over();
    await events.return();
  }
}

/** When all has run that is ready to, in one write with what else was written meanwhile. False: the client has to read on first. */
function writeSoon(raw: ServerResponse, text: string): boolean {
  return raw.write(text);
}

/**
 * At once, as one chunk of the response that has begun. Node's own `write` makes four pieces of it and puts them off, which costs
 * half as much again as the system call; where another response has the connection still, it keeps the text until its turn.
 */
function writeAtOnce(raw: ServerResponse, text: string): boolean {
  const { socket } = raw;
  if (!socket || !raw.chunkedEncoding) return raw.write(text);
  return socket.write(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
}

/** Waits for something else than `next`, whose failure is read afterwards. */
function meanwhile(next: Promise<unknown>, other: Promise<void>): Promise<void> {
  next.catch(() => undefined);
  return other;
}

/** Resolves when the client has read on, or has left, or is given up. */
function drained(raw: ServerResponse, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const connection = raw.socket ?? raw;
    const timer = setTimeout(() => raw.destroy(), timeoutMs);
    const done = () => {
      clearTimeout(timer);
      connection.off("drain", done);
      raw.off("close", done);
      resolve();
    };
    connection.on("drain", done);
    raw.on("close", done);
    if (raw.destroyed) done();
  });
}
