import { isUtf8 } from "node:buffer";
import type { FastifyInstance } from "fastify";
import { RaglineError } from "../errors.ts";

/**
 * Bodies of JSON are UTF-8, as JSON is: in another encoding, a console's of Windows say, Korean text would be read as something else,
 * and kept so. Some clients say of every request that it is JSON: without a body it is none.
 */
export function readJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeContentTypeParser("application/json");
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body, done) => {
    const bytes = body as Buffer;
    if (bytes.length === 0 && request.method !== "POST") done(null, undefined);
    else if (isUtf8(bytes)) void parse(request, bytes.toString(), done);
    else done(new RaglineError("request_invalid", "body: must be UTF-8, as all JSON is"));
  });
}
