import type { FastifyError, FastifyRequest } from "fastify";
import { RaglineError, toRaglineError } from "../errors.ts";

/** Any failure of a request in the words of the error table; faults of Ragline's own go to the log. */
export function toHttpError(thrown: FastifyError, request: FastifyRequest): RaglineError {
  const error = translate(thrown, request.routeOptions.bodyLimit);
  if (error.code === "internal") request.log.error({ requestId: request.id, err: error.cause ?? error }, error.message);
  return error;
}

function translate(thrown: FastifyError, bodyBytesMax: number | undefined): RaglineError {
  if (thrown instanceof RaglineError) return thrown;
  if (thrown.validation) return new RaglineError("request_invalid", describe(thrown));
  if (thrown.code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    return new RaglineError("request_invalid", `body: larger than ${bodyBytesMax} bytes`);
  }
  if (thrown.code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") {
    return new RaglineError("request_invalid", "content-type: must be application/json");
  }
  if (thrown.statusCode !== undefined && thrown.statusCode >= 400 && thrown.statusCode < 500) {
    return new RaglineError("request_invalid", `body: ${thrown.message}`);
  }
  return toRaglineError(thrown);
}

function describe(error: FastifyError): string {
  const where = error.validationContext ?? "body";
  const lines = error.validation?.map(({ instancePath, message }) => {
    const field = instancePath.replace(/^\//, "").replaceAll("/", ".") || where;
    return `${field}: ${message}`;
  });
  return lines?.join("; ") ?? error.message;
}
