import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { RaglineError } from "../errors.ts";
import type { Ragline } from "../index.ts";
import {
  deletedSchema,
  deletedSessionsSchema,
  errorResponses,
  sessionPageSchema,
  sessionSchema,
  turnPageSchema,
} from "./responses.ts";
import { clientSignal } from "./sse.ts";
import type { ZodRequests } from "./type-provider.ts";

/** `/v1/sessions`: list a user's conversations, delete them; `/v1/sessions/:id`: read or delete one, page through its turns. */
export function registerSessions(routes: FastifyInstance, ragline: Ragline): void {
  const { sessionId, collection } = ragline.schemas;
  const missing = (id: string, collection = ragline.config.collection): never => {
    throw new RaglineError(
      "not_found",
      `id: there is no session ${JSON.stringify(id)} in the collection ${collection}`,
    );
  };
  const typed = routes.withTypeProvider<ZodRequests>();
  const byId = { params: z.object({ id: sessionId }), querystring: z.strictObject({ collection }) };

  typed.get(
    "/v1/sessions",
    {
      schema: {
        summary: "List a user's conversations, the one that was last asked in first.",
        querystring: ragline.schemas.sessions,
        response: { 200: sessionPageSchema, ...errorResponses },
      },
    },
    (request, reply) =>
      ragline.listSessions(request.query, { signal: clientSignal(request, reply), ...request.caller }),
  );

  typed.delete(
    "/v1/sessions",
    {
      schema: {
        summary: "Delete all conversations of a user in a collection.",
        querystring: z.strictObject({ collection }),
        response: { 200: deletedSessionsSchema, ...errorResponses },
      },
    },
    async (request, reply) => {
      const caller = { signal: clientSignal(request, reply), ...request.caller };
      return { deleted: await ragline.deleteSessions(request.query.collection, caller) };
    },
  );

  typed.get(
    "/v1/sessions/:id",
    { schema: { summary: "Read a conversation.", ...byId, response: { 200: sessionSchema, ...errorResponses } } },
    async ({ params, query, caller }) =>
      (await ragline.readSession(params.id, query.collection, caller ?? {})) ?? missing(params.id, query.collection),
  );

  typed.get(
    "/v1/sessions/:id/turns",
    {
      schema: {
        summary:
          "List a conversation's turns in their original form, oldest first; a page has at most 8 MiB, one turn at least.",
        params: byId.params,
        querystring: ragline.schemas.turns,
        response: { 200: turnPageSchema, ...errorResponses },
      },
    },
    async ({ params, query, caller }) =>
      (await ragline.readTurns(params.id, query, caller ?? {})) ?? missing(params.id, query.collection),
  );

  typed.delete(
    "/v1/sessions/:id",
    { schema: { summary: "Delete a conversation.", ...byId, response: { 200: deletedSchema, ...errorResponses } } },
    async ({ params, query, caller }) =>
      (await ragline.deleteSession(params.id, query.collection, caller ?? {}))
        ? { deleted: true as const }
        : missing(params.id, query.collection),
  );
}
