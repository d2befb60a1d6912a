import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Ragline } from "../index.ts";
import { outcomeOfStatus } from "../telemetry/outcome.ts";
import { createProcessMetrics } from "../telemetry/process.ts";
import type { Registry } from "../telemetry/prometheus.ts";
import { statusOf, whenOver } from "./over.ts";
import { PROBES } from "./probes.ts";
import { requestTracing } from "./tracing.ts";

declare module "fastify" {
  interface FastifyInstance {
    /** To be called of each request once, as it begins; hooks do where there are any. */
    readonly observe: (request: FastifyRequest, reply: FastifyReply) => void;
  }
  interface FastifyRequest {
    /** Set where an answer counts and logs itself. */
    isAnswer: boolean;
  }
}

/** Counts, logs and traces each request, but for answers, which count themselves, and serves `/metrics`. */
export function registerTelemetry(app: FastifyInstance, ragline: Ragline): void {
  const { config, telemetry } = ragline;
  const traced = telemetry.traces && requestTracing(app, telemetry.traces, (route) => PROBES.has(route));
  app.decorateRequest("isAnswer", false);
  const whose = ({ caller, failure }: FastifyRequest) => {
    if (caller) return { tenant: caller.tenant, caller: caller.name };
    const tenant = ragline.config.server.callers ? undefined : config.tenant;
    return { tenant, caller: failure?.code === "unauthorized" ? "" : undefined };
  };
  const count = (request: FastifyRequest, reply: FastifyReply) => {
    if (request.isAnswer) return;
    const route = routeOf(request);
    const status = statusOf(reply);
    telemetry.request({
      requestId: request.id,
      ...whose(request),
      unknownKey: request.unknownKey,
      route,
      outcome: outcomeOfStatus(status),
      failure: request.failure,
      method: request.method,
      status,
      totalMs: Math.round(reply.elapsedTime * 1000) / 1000,
      isProbe: PROBES.has(route),
    });
  };
  app.decorate("observe", (request: FastifyRequest, reply: FastifyReply) => {
    traced?.(request, reply);
    whenOver(request, reply, () => count(request, reply));
  });
  app.addHook("onRequest", (request, reply, done) => {
    app.observe(request, reply);
    done();
  });
  if (!config.telemetry.metrics) return;
  let ofProcess: Registry | undefined;
  const processMetrics = () => {
    ofProcess ??= createProcessMetrics();
    return ofProcess;
  };
  app.addHook("onListen", (done) => {
    processMetrics();
    done();
  });
  app.get("/metrics", { config: { right: "observe" }, schema: { hide: true } }, async (_request, reply) => {
    const registry = processMetrics();
    const [own, process] = await Promise.all([telemetry.metrics.text(), registry.metrics()]);
    return reply.type(registry.contentType).send(`${own}\n${process}`);
  });
}

/** As it was registered: addresses hold ids, of which there are too many to count by. */
function routeOf({ routeOptions }: FastifyRequest): string {
  return routeOptions.url ?? "unknown";
}
