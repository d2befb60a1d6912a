import type { FastifyInstance } from "fastify";
import { RaglineError } from "../errors.ts";

/** Refuses a request with two `Host` headers (RFC 9112, 3.2): a proxy before this server may have gone by the other one. */
export function refuseSecondHost(app: FastifyInstance): void {
  app.addHook("onRequest", (request, _reply, done) => {
    const { rawHeaders } = request.raw;
    let hosts = 0;
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = rawHeaders[i];
      if (name?.length === 4 && name.toLowerCase() === "host") hosts++;
    }
    if (hosts > 1) done(new RaglineError("request_invalid", "host: must be sent once"));
    else done();
  });
}
