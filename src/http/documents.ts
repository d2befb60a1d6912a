import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { RaglineError } from "../errors.ts";
import type { Ragline } from "../index.ts";
import { addedSchema, deletedSchema, documentPageSchema, documentSchema, errorResponses } from "./responses.ts";
import { clientSignal } from "./sse.ts";
import type { ZodRequests } from "./type-provider.ts";

/** `/v1/documents`: list, add or replace, read, delete. Ids may hold slashes, raw or as `%2F`. */
export function registerDocuments(routes: FastifyInstance, ragline: Ragline): void {
  const { document, list, documentId, collection } = ragline.schemas;
  const typed = routes.withTypeProvider<ZodRequests>();
  const byId = { params: z.object({ "*": documentId }), querystring: z.strictObject({ collection }) };

  typed.get(
    "/v1/documents",
    {
      schema: {
        summary: "List documents.",
        querystring: list,
        response: { 200: documentPageSchema, ...errorResponses },
      },
    },
    (request) => ragline.listDocuments(request.query),
  );

  typed.post(
    "/v1/documents",
    {
      schema: {
        summary: "Add or replace a document.",
        body: document,
        response: { 200: addedSchema, ...errorResponses },
      },
    },
    (request, reply) => ragline.addDocument(request.body, { signal: clientSignal(request, reply) }),
  );

  typed.get(
    "/v1/documents/*",
    { schema: { summary: "Read a document's entry.", ...byId, response: { 200: documentSchema, ...errorResponses } } },
    async (request) => {
      const id = request.params["*"];
      const found = await ragline.findDocument(id, request.query.collection);
      return found ?? missing(id);
    },
  );

  typed.delete(
    "/v1/documents/*",
    { schema: { summary: "Delete a document.", ...byId, response: { 200: deletedSchema, ...errorResponses } } },
    async (request) => {
      const id = request.params["*"];
      return (await ragline.deleteDocument(id, request.query.collection)) ? { deleted: true as const } : missing(id);
    },
  );
}

function missing(id: string): never {
  throw new RaglineError("not_found", `id: there is no document ${JSON.stringify(id)}`);
}
