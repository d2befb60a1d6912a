import type { FastifyReply, FastifyRequest } from "fastify";
import { RaglineError } from "../errors.ts";

/** An `onRequest` hook: what is being received and read is held in memory, so that only so many bytes are let in at once. */
export function boundUploads(bytesMax: number): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  let held = 0;
  return async (request, reply) => {
    if (request.method !== "POST" && request.method !== "PUT") return;
    const { bodyLimit } = request.routeOptions;
    const declared = Number(request.headers["content-length"] ?? bodyLimit);
    // What is too large is refused by its length, before it is read.
    const bytes = declared <= bodyLimit ? declared : 0;
    if (held + bytes > bytesMax) {
      throw new RaglineError("overloaded", "Too many documents are being received and read: try again in a moment.");
    }
    held += bytes;
    reply.raw.once("close", () => {
      held -= bytes;
    });
  };
}
