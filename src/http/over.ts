import type { FastifyReply, FastifyRequest } from "fastify";
import { ERRORS } from "../errors.ts";

/** Calls `task` once, when a request is over: its response is sent, or its client has left. */
export function whenOver(request: FastifyRequest, { raw }: FastifyReply, task: () => void): void {
  if (raw.socket) {
    raw.once("close", task);
    return;
  }
  // It came while another of its connection is answered: only that one's response is told that the connection closes.
  const { socket } = request.raw;
  const once = () => {
    raw.off("close", once);
    socket.off("close", once);
    task();
  };
  raw.once("close", once);
  socket.setMaxListeners(0).once("close", once);
}

/** Of a request that is over: `cancelled` where the client left before it had the whole response. */
export function statusOf(reply: FastifyReply): number {
  return reply.raw.writableFinished ? reply.statusCode : ERRORS.cancelled.status;
}
