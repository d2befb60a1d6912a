import type { FastifyInstance } from "fastify";

/** Cuts a client that takes nothing of what is left of its response for so long, at the latest for twice as long. A stream that goes on is `sendEvents`'. */
export function cutStalled(app: FastifyInstance, timeoutMs: number): void {
  app.addHook("onRequest", (_request, { raw }, done) => {
    raw.once("prefinish", () => {
      // Node counts writing that goes on as activity, and sets another limit for the next request.
      if (raw.socket && raw.socket.writableLength > 0) raw.socket.setTimeout(timeoutMs);
    });
    done();
  });
}
