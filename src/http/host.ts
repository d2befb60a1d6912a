import type { FastifyInstance } from "fastify";
import { RaglineError } from "../errors.ts";
import { timesSent } from "./sent-once.ts";

/**
 * Refuses a request with two `Host` headers, since a proxy before this server may have gone by the other one, and one of HTTP/1.1
 * without any (RFC 9112, 3.2). Node would refuse the latter without a word.
 */
export function refuseOtherThanOneHost(app: FastifyInstance): void {
  app.addHook("onRequest", (request, _reply, done) => {
    const hosts = timesSent(request.raw, "host");
    if (hosts > 1 || (hosts === 0 && request.raw.httpVersion === "1.1"))
      done(new RaglineError("request_invalid", "host: must be sent once"));
    else done();
  });
}
