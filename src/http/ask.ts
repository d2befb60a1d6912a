import type { FastifyInstance } from "fastify";
import type { Ragline } from "../index.ts";
import type { AnswerEvent } from "../types.ts";
import { wholeAnswer } from "../whole-answer.ts";
import { askFor, askHeaders } from "./asking.ts";
import { answerSchema, errorResponses, eventSchema } from "./responses.ts";
import { sendEvents } from "./sse.ts";
import type { ZodRequests } from "./type-provider.ts";

/** `POST /v1/ask`: server-sent events, or one JSON object where the client accepts only that. */
export function registerAsk(routes: FastifyInstance, ragline: Ragline): void {
  const ok = {
    description: "The answer: a stream of events, of which `answer-end` or `answer-error` is the last, or one object.",
    content: { "text/event-stream": { schema: eventSchema }, "application/json": { schema: answerSchema } },
  };
  routes.withTypeProvider<ZodRequests>().post(
    "/v1/ask",
    {
      onRequest: routes.admission.enter,
      // The library checks what it is asked.
      validatorCompiler: () => (value) => ({ value }),
      schema: {
        summary: "Ask a question.",
        headers: askHeaders,
        body: ragline.schemas.ask,
        response: { 200: ok, ...errorResponses },
      },
    },
    async (request, reply) => {
      const events = askFor(request, reply, ragline, request.body);
      if (!wantsJson(request.headers.accept))
        return sendEvents(reply, events, eventText, ragline.config.server.stallTimeoutMs);
      return reply.send(await wholeAnswer(events));
    },
  );
}

function wantsJson(accept = ""): boolean {
  return accept.includes("application/json") && !accept.includes("text/event-stream");
}

function eventText(event: AnswerEvent): string {
  return `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
