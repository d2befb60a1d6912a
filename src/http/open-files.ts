import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { RaglineError, RETRY_AFTER_MS } from "../errors.ts";
import { connectionLimits } from "../open-files.ts";
import { PROBES } from "./probes.ts";

/**
 * Keeps clients from taking every file that the process may open: it could then call no model, nor answer a probe. Requests on
 * connections beyond the share of those that are served are refused, `overloaded`, unless idle ones could be closed for them; connections
 * beyond what is kept for that are closed.
 */
export function keepOpenFiles(app: FastifyInstance): void {
  const max = connectionLimits(app.log);
  if (max === null) return;
  const { servedMax, refusedMax, tell } = max;
  const beyond = new WeakSet<Socket>();
  let open = 0;
  app.server.on("connection", (socket) => {
    socket.once("close", () => open--);
    if (++open <= servedMax) return;
    beyond.add(socket);
    if (open > servedMax + refusedMax) {
      tell();
      socket.destroy();
    }
    app.server.closeIdleConnections();
  });
  app.addHook("onRequest", (request, reply, done) => {
    const { socket } = request.raw;
    if (open <= servedMax) beyond.delete(socket);
    if (!beyond.has(socket) || PROBES.has(request.routeOptions.url ?? "")) {
      done();
      return;
    }
    tell();
    reply.header("connection", "close");
    const message = "More clients are connected than this process may have files open.";
    done(new RaglineError("overloaded", message, { retryAfterMs: RETRY_AFTER_MS }));
  });
}
