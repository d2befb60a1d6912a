import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { RaglineError } from "../errors.ts";
import type { AskRequest, Ragline } from "../index.ts";
import { idempotencyKey, parseRequest } from "../requests.ts";
import type { AnswerEvent } from "../types.ts";
import { sentOnce } from "./sent-once.ts";
import { clientSignal } from "./sse.ts";

/** What is read of a question's headers; there are others. */
export const askHeaders = z.looseObject({
  "idempotency-key": idempotencyKey
    .optional()
    .describe(
      "Random, and new for every question: questions of one conversation with the same key are one turn, so that asking again after a cut makes no second one. Without effect where nothing is stored.",
    ),
});

/** Asks for the client of a request: stops when it leaves, and counts under its route. */
export function askFor(
  request: FastifyRequest,
  reply: FastifyReply,
  ragline: Ragline,
  asked: AskRequest,
): AsyncGenerator<AnswerEvent, void, undefined> {
  // Counted as a request whose client has left.
  if (request.raw.socket.destroyed) throw new RaglineError("cancelled", "The caller left.");
  const name = "idempotency-key";
  const { [name]: key } = parseRequest(askHeaders, { [name]: sentOnce(request, name) });
  const signal = clientSignal(request, reply);
  const route = request.routeOptions.url ?? "unknown";
  const events = ragline.ask(asked, {
    signal,
    ...request.caller,
    requestId: request.id,
    route,
    ...(key !== undefined && { idempotencyKey: key }),
  });
  request.isAnswer = true;
  return events;
}
