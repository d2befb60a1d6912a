import { createServer, type IncomingMessage, type Server } from "node:http";
import type { FastifyInstance } from "fastify";
import { RaglineError } from "../errors.ts";

declare module "fastify" {
  interface FastifyInstance {
    /** The probes alone, for a port of their own; it is closed with the app. */
    readonly probes: Server;
    /** Whether a request came to that port. */
    readonly isAtProbes: (request: IncomingMessage) => boolean;
  }
}

export const PROBES: ReadonlySet<string> = new Set(["/metrics", "/healthz", "/readyz"]);

/**
 * Of what connects to a port the event loop takes one connection a turn: while questions keep its turns long, a probe waits behind
 * all who connected before it. On a port of its own there are few.
 */
export function registerProbes(app: FastifyInstance): void {
  const there = new WeakSet<IncomingMessage>();
  const probes = createServer((request, response) => {
    const [path = ""] = (request.url ?? "").split("?");
    if (PROBES.has(path)) {
      there.add(request);
      app.routing(request, response);
      return;
    }
    const error = new RaglineError("not_found", `Nothing but ${[...PROBES].join(", ")} is here.`);
    response.writeHead(error.status, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: error.body() }));
  });
  app.decorate("probes", probes);
  app.decorate("isAtProbes", (request: IncomingMessage) => there.has(request));
  app.addHook("onClose", async () => {
    probes.close();
    probes.closeAllConnections();
  });
}
