import type { FastifyInstance } from "fastify";
import { RaglineError } from "../errors.ts";

/**
 * Refuses a request with two `Host` headers, since a proxy before this server may have gone by the other one, and one of HTTP/1.1
 * without any (RFC 9112, 3.2). Node would refuse the latter without a word.
 */
export function refuseOtherThanOneHost(app: FastifyInstance): void {
  app.addHook("onRequest", (request, _reply, done) => {
    const { rawHeaders, httpVersion } = request.raw;
    let hosts = 0;
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = rawHeaders[i];
      if (name?.length === 4 && name.toLowerCase() === "host") hosts++;
    }
    if (hosts > 1 || (hosts === 0 && httpVersion === "1.1"))
      done(new RaglineError("request_invalid", "host: must be sent once"));
    else done();
  });
}
