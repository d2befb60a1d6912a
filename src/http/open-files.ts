import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { RaglineError } from "../errors.ts";
import { PROBES } from "./probes.ts";
import { RETRY_AFTER_MS } from "./retry-after.ts";

/** What a process has open by itself: databases, threads, standard streams. */
const OWN = 48;
/** Of what is left. The rest, five ninths, is for calls of models: one of each answer, and connections that are kept for the next. */
const SERVED_SHARE = 1 / 3;
const REFUSED_SHARE = 1 / 9;
/** More than so many calls and refusals at once need no files. */
const CALLS_MAX = 4096;
const REFUSED_MAX = 512;
const TOLD_EVERY_MS = 60_000;

/** The process's limit of open files (`ulimit -n`); null where it is not known or there is none. */
function openFilesMax(): number | null {
  try {
    const limit = Number(/^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);
    return Number.isNaN(limit) ? null : limit;
  } catch {
    return null;
  }
}

/** `free`: files that may be open beside the process's own. */
export function connectionsOf(free: number): { readonly servedMax: number; readonly refusedMax: number } {
  const refusedMax = Math.min(REFUSED_MAX, Math.max(1, Math.floor(free * REFUSED_SHARE)));
  return { servedMax: Math.max(2, Math.floor(free * SERVED_SHARE), free - CALLS_MAX - refusedMax), refusedMax };
}

/**
 * Keeps clients from taking every file that the process may open: it could then call no model, nor answer a probe. Requests on
 * connections beyond the share of those that are served are refused, `overloaded`, unless idle ones could be closed for them; connections
 * beyond what is kept for that are closed.
 */
export function keepOpenFiles(app: FastifyInstance): void {
  const limit = openFilesMax();
  if (limit === null) return;
  const { servedMax, refusedMax } = connectionsOf(Math.max(0, limit - OWN));
  const beyond = new WeakSet<Socket>();
  let open = 0;
  let toldAt = Number.NEGATIVE_INFINITY;
  const tell = () => {
    const now = performance.now();
    if (now - toldAt < TOLD_EVERY_MS) return;
    toldAt = now;
    app.log.warn(
      { openFilesMax: limit, connectionsMax: servedMax },
      "connections are refused: more would take the files that answers need; raise the limit of open files (ulimit -n)",
    );
  };
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
