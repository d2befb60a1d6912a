import type { FastifyInstance } from "fastify";
import { z } from "zod";
import type { Ragline } from "../index.ts";
import { errorResponses, readinessSchema, statusSchema } from "./responses.ts";
import type { ZodRequests } from "./type-provider.ts";

/** What runs here, whether the process lives, and whether it can answer. */
export function registerHealth(routes: FastifyInstance, ragline: Ragline): void {
  const typed = routes.withTypeProvider<ZodRequests>();
  const querystring = z.strictObject({ collection: ragline.schemas.collection });

  typed.get(
    "/v1/status",
    {
      config: { right: "observe" },
      schema: { summary: "What each stage runs on.", querystring, response: { 200: statusSchema, ...errorResponses } },
    },
    (request) => ragline.status(request.query.collection, request.caller ?? {}),
  );

  typed.get(
    "/healthz",
    {
      config: { right: "none" },
      schema: { summary: "Whether the process lives.", response: { 200: z.object({ status: z.literal("ok") }) } },
    },
    () => ({ status: "ok" as const }),
  );

  typed.get(
    "/readyz",
    {
      config: { right: "none" },
      schema: {
        summary: "Whether questions can be answered, and what is missing.",
        response: { 200: readinessSchema, 503: readinessSchema },
      },
    },
    async (_request, reply) => {
      const readiness = await routes.readiness();
      return reply.code(readiness.ready ? 200 : 503).send(readiness);
    },
  );
}
