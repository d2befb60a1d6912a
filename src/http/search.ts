import type { FastifyInstance } from "fastify";
import type { Ragline } from "../index.ts";
import { errorResponses, searchSchema } from "./responses.ts";
import { clientSignal } from "./sse.ts";
import type { ZodRequests } from "./type-provider.ts";

/** `POST /v1/search`: passages without an answer. */
export function registerSearch(routes: FastifyInstance, ragline: Ragline): void {
  routes.withTypeProvider<ZodRequests>().post(
    "/v1/search",
    {
      onRequest: routes.admission.enter,
      schema: {
        summary: "Find passages.",
        body: ragline.schemas.search,
        response: { 200: searchSchema, ...errorResponses },
      },
    },
    async (request, reply) => {
      const caller = { signal: clientSignal(request, reply), ...request.caller };
      const { hits, timings, degraded } = await ragline.search(request.body, caller);
      return { hits, timings, degraded };
    },
  );
}
