import { isUtf8 } from "node:buffer";
import type { FastifyInstance } from "fastify";
import { RaglineError } from "../errors.ts";
import { jsonFault } from "./json-fault.ts";

const BYTE_ORDER_MARK = /^\ufeff/;

/**
 * Bodies of JSON are UTF-8, as JSON is: in another encoding, a console's of Windows say, Korean text would be read as something else,
 * and kept so. Some clients say of every request that it is JSON: without a body it is none.
 */
export function readJsonBodies(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeContentTypeParser("application/json");
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body, done) => {
    const bytes = body as Buffer;
    const encoding = request.headers["content-encoding"] ?? "identity";
    if (bytes.length === 0 && request.method !== "POST") done(null, undefined);
    else if (encoding !== "identity") done(invalid("content-encoding: bodies are read as they are; send it unencoded"));
    else if (!isUtf8(bytes)) done(invalid("body: must be UTF-8, as all JSON is"));
    else {
      const text = bytes.toString();
      void parse(request, text, (error, value) => done(error && refusal(error, text), value));
    }
  });
}

/** Says where the fault is, and nothing of what stands there. */
function refusal(error: Error, text: string): Error {
  if (!("code" in error) || error.code !== "FST_ERR_CTP_INVALID_JSON_BODY") return error;
  const fault = jsonFault(text.replace(BYTE_ORDER_MARK, ""));
  return fault
    ? invalid(`body: must be JSON, and is not at line ${fault.line}, column ${fault.column}`)
    : invalid("body: must not have the keys `__proto__` and `constructor.prototype`");
}

function invalid(message: string): RaglineError {
  return new RaglineError("request_invalid", message);
}
