import { randomUUID } from "node:crypto";
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from "fastify";
import type { z } from "zod";
import { RaglineError } from "../errors.ts";
import { type Ragline, VERSION } from "../index.ts";
import { parseRequest } from "../requests.ts";
import { Admission } from "./admission.ts";
import { registerAsk } from "./ask.ts";
import { checkCallers } from "./callers.ts";
import { registerCollections } from "./collections.ts";
import { registerDocuments } from "./documents.ts";
import { endInOrder } from "./ending.ts";
import { answerErrors, refuseAddress, refuseConnection, withStatus } from "./errors.ts";
import { registerHealth } from "./health.ts";
import { keepAlive } from "./heartbeats.ts";
import { refuseOtherThanOneHost } from "./host.ts";
import { readJsonBodies } from "./json-body.ts";
import { registerListeners } from "./listen.ts";
import { loggedReadiness } from "./logged-readiness.ts";
import { keepOpenFiles } from "./open-files.ts";
import { registerOpenAi } from "./openai.ts";
import { describeCallers, registerOpenApi } from "./openapi.ts";
import { allowOrigins } from "./origins.ts";
import { registerProbes } from "./probes.ts";
import { RunningAnswers } from "./running-answers.ts";
import { registerSearch } from "./search.ts";
import { registerSessions } from "./sessions.ts";
import { cutStalled } from "./stall.ts";
import { registerTelemetry } from "./telemetry.ts";

const DOCUMENT_ID_CHARACTERS_MAX = 2000;
const REQUEST_TIMEOUT_MS = 30_000;
/** How much later than that it may be cut; Node's own default is as long as the limit itself. */
const CONNECTIONS_CHECKED_EVERY_MS = 2_000;

/** Ragline over HTTP. `listen` it on the address you like; closing it waits for running answers. */
export async function createServer(ragline: Ragline): Promise<FastifyInstance> {
  const app: FastifyInstance = fastify({
    loggerInstance: ragline.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: ragline.config.server.bodyBytesMax,
    routerOptions: { maxParamLength: DOCUMENT_ID_CHARACTERS_MAX },
    genReqId: () => randomUUID(),
    // For receiving a request; what bounds its answer is in `run.ts`.
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: {
      // Node gives a body as long as the larger of the two.
      headersTimeout: REQUEST_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: CONNECTIONS_CHECKED_EVERY_MS,
      requireHostHeader: false,
    },
    childLoggerFactory: (logger) => logger,
    forceCloseConnections: "idle",
    // Fastify's own 503 has no code, and no request's id.
    return503OnClosing: false,
    frameworkErrors: refuseAddress,
    clientErrorHandler: refuseConnection,
  });
  app.decorate("answers", new RunningAnswers());
  app.decorate(
    "admission",
    new Admission(app.server, ragline.config.server.admissionTimeoutMs, ragline.telemetry.metrics),
  );
  app.decorate("readiness", loggedReadiness(ragline));
  app.removeContentTypeParser("text/plain");
  readJsonBodies(app);
  // Headers are read where they are used; their schemas describe.
  app.setValidatorCompiler<z.ZodType>(({ schema, httpPart }) => (data) => ({
    value: httpPart === "headers" ? data : parseRequest(schema, data),
  }));
  // Response schemas describe; checking every response against them is what tests do.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.addHook("onRequest", (request, reply, done) => {
    reply.header("x-request-id", request.id);
    done();
  });
  registerTelemetry(app, ragline);
  registerProbes(app);
  refuseOtherThanOneHost(app);
  if (ragline.config.server.origins) await allowOrigins(app, ragline.config.server.origins);
  registerListeners(app);
  endInOrder(app);
  checkCallers(app, ragline);
  keepOpenFiles(app);
  keepAlive(app, ragline.config.server.heartbeatMs);
  cutStalled(app, ragline.config.server.stallTimeoutMs);
  answerErrors(app, (error) => error);
  app.setNotFoundHandler((request, reply) => {
    const [path = ""] = request.url.split("?");
    const allowed = (["GET", "POST", "PUT", "DELETE"] as const).filter(
      (method) => app.findRoute({ method, url: path }) !== null,
    );
    const hint = allowed.length > 0 ? `; allowed: ${allowed.join(", ")}` : "";
    if (allowed.length > 0) reply.header("allow", allowed.join(", "));
    const error = new RaglineError("not_found", `${request.method} ${path.slice(0, 200)}: no such route${hint}`);
    return withStatus(reply, error).send({ error: error.body(request.id) });
  });

  await registerOpenApi(app, VERSION);
  await app.register(async (routes) => {
    registerAsk(routes, ragline);
    registerSearch(routes, ragline);
    await routes.register(async (apart) => registerDocuments(apart, ragline));
    registerSessions(routes, ragline);
    registerCollections(routes, ragline);
    registerHealth(routes, ragline);
    await routes.register(async (apart) => registerOpenAi(apart, ragline));
    routes.get("/openapi.json", { config: { right: "none" }, schema: { hide: true } }, () =>
      describeCallers(app.swagger(), ragline.config.server.callers),
    );
  });
  return app;
}
