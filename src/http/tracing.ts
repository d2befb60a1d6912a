import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { TracedRequest, Traces } from "../telemetry/traces.ts";
import { statusOf, whenOver } from "./over.ts";

declare module "fastify" {
  interface FastifyRequest {
    traced: TracedRequest | null;
  }
}

/**
 * A span a request, in the trace of its `traceparent`. What handles the request runs within it, from its checked body on.
 * @returns begins the span
 */
export function requestTracing(
  app: FastifyInstance,
  traces: Traces,
  isProbe: (route: string) => boolean,
): (request: FastifyRequest, reply: FastifyReply) => void {
  app.decorateRequest("traced", null);
  // Reading a body loses the context of what came before.
  app.addHook("preHandler", (request, _reply, done) => {
    if (request.traced) request.traced.within(done);
    else done();
  });
  return (request, reply) => {
    const route = request.routeOptions.url ?? "unknown";
    if (isProbe(route)) return;
    const traced = traces.request(request.method, route, request.headers);
    request.traced = traced;
    whenOver(request, reply, () => traced.end(statusOf(reply)));
  };
}
