import type { FastifyReply, FastifyRequest } from "fastify";
import { RaglineError } from "../errors.ts";
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
  // Counted as a request whose client has left.
  if (request.raw.socket.destroyed) throw new RaglineError("cancelled", "The caller left.");
  const signal = clientSignal(request, reply);
  const route = request.routeOptions.url ?? "unknown";
  const events = ragline.ask(asked, { signal, ...request.caller, requestId: request.id, route });
  request.isAnswer = true;
  return events;
}
