import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Ragline } from "../index.ts";
import { erasedSchema, errorResponses } from "./responses.ts";
import { clientSignal } from "./sse.ts";
import type { ZodRequests } from "./type-provider.ts";

/** `DELETE /v1/collections/:collection`: erases the caller's tenant's, whatever the groups. */
export function registerCollections(routes: FastifyInstance, ragline: Ragline): void {
  routes.withTypeProvider<ZodRequests>().delete(
    "/v1/collections/:collection",
    {
      config: { right: "erase" },
      schema: {
        summary: "Erase a collection: documents of every group, conversations, cached answers.",
        params: z.object({ collection: ragline.schemas.erase.shape.collection }),
        response: { 200: erasedSchema, ...errorResponses },
      },
    },
    (request, reply) => ragline.erase(request.params, { signal: clientSignal(request, reply), ...request.caller }),
  );
}
