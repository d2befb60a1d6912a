import type { FastifyReply, FastifyRequest } from "fastify";
import type { AskRequest, Ragline } from "../index.ts";
import type { AnswerEvent } from "../types.ts";
import { clientSignal } from "./sse.ts";

/** Asks for the client of a request: stops when it leaves, and counts under its route. */
export function askFor(
  request: FastifyRequest,
  reply: FastifyReply,
  ragline: Ragline,
  asked: AskRequest,
): AsyncGenerator<AnswerEvent, void, undefined> {
  const signal = clientSignal(request, reply);
  const route = request.routeOptions.url ?? "unknown";
  const events = ragline.ask(asked, { signal, requestId: request.id, route });
  request.isAnswer = true;
  return events;
}
