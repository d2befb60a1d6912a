import { Server } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { FastifyInstance } from "fastify";
import { RaglineError } from "../errors.ts";

declare module "fastify" {
  interface FastifyInstance {
    /**
     * Takes no connection any more; what comes on those that are open within half a second is answered, the last of its connection.
     * Before `close`, which cuts idle ones: a client that uses one just then knows neither that its question was not read nor that
     * it may ask again.
     */
    readonly turnAway: () => Promise<void>;
  }
}

const TURNED_AWAY_WITHIN_MS = 500;
const LOOKED_EVERY_MS = 20;

/**
 * What comes while the server closes, on a connection that had begun to send it, is refused. A connection whose answer ends then would be
 * kept alive for the next request, and hold up the closing.
 */
export function endInOrder(app: FastifyInstance): void {
  let isLast = false;
  let isClosing = false;
  app.decorate("turnAway", async () => {
    isLast = true;
    // Node's HTTP server would cut idle connections too.
    for (const listener of app.listeners) Server.prototype.close.call(listener);
    const deadline = performance.now() + TURNED_AWAY_WITHIN_MS;
    while (performance.now() < deadline && (await connections(app)) > 0) await sleep(LOOKED_EVERY_MS);
  });
  app.addHook("preClose", async () => {
    isClosing = true;
  });
  app.addHook("onRequest", (_request, reply, done) => {
    if (isLast) reply.header("connection", "close");
    done(isClosing ? new RaglineError("overloaded", "The server is stopping; ask again.") : undefined);
  });
  app.addHook("onResponse", (_request, _reply, done) => {
    if (isClosing) setImmediate(() => app.server.closeIdleConnections());
    done();
  });
}

const countOf = promisify(Server.prototype.getConnections);

async function connections({ listeners }: FastifyInstance): Promise<number> {
  const counts = await Promise.all(listeners.map((one) => countOf.call(one)));
  return counts.reduce((sum, one) => sum + one, 0);
}
