import type { Socket } from "node:net";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RaglineError, toRaglineError } from "../errors.ts";
import type { ErrorBody } from "../types.ts";

/** Answers failures of these routes' requests. @param shape what a body's `error` looks like */
export function answerErrors(routes: FastifyInstance, shape: (error: ErrorBody) => object): void {
  routes.setErrorHandler((thrown: FastifyError, request, reply) => {
    const error = toHttpError(thrown, request);
    return withStatus(reply, error).send({ error: shape(error.body(request.id)) });
  });
}

/** Any failure of a request in the words of the error table; faults of Ragline's own go to the log. */
function toHttpError(thrown: FastifyError, request: FastifyRequest): RaglineError {
  const error = translate(thrown, request.routeOptions);
  if (error.code === "internal") request.log.error({ requestId: request.id, err: error.cause ?? error }, error.message);
  return error;
}

declare module "fastify" {
  interface FastifyRequest {
    /** What it is refused with, for whoever counts it. */
    failure?: RaglineError;
  }
}

/**
 * A failure's status, whether to try again, in the header that OpenAI's clients obey (else they try each 5xx again), and when
 * to come back where that is known (RFC 9110, 10.2.3: whole seconds).
 */
export function withStatus(reply: FastifyReply, error: RaglineError): FastifyReply {
  const { status, retryable, retryAfterMs } = error;
  reply.request.failure = error;
  // RFC 9110, 11.6.1.
  if (error.code === "unauthorized") reply.header("www-authenticate", "Bearer");
  reply.header("x-should-retry", String(retryable));
  if (retryAfterMs !== undefined) reply.header("retry-after", Math.ceil(retryAfterMs / 1000));
  return reply.code(status);
}

/** Answers a request that reached no route, nor any hook: its address cannot be decoded, or a part of it is too long. */
export function refuseAddress(thrown: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const tooLong = thrown.code === "FST_ERR_MAX_PARAM_LENGTH";
  const problem = tooLong ? "a part of it is too long" : "must be valid percent-encoded UTF-8";
  const error = new RaglineError("request_invalid", `path: ${problem}`);
  request.server.observe(request, reply);
  withStatus(reply, error)
    .header("x-request-id", request.id)
    .send({ error: error.body(request.id) });
}

const CONNECTION_ERRORS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: "headers: larger than 16 KiB",
  ERR_HTTP_REQUEST_TIMEOUT: "request: not complete within its time",
};

/** Answers what is no HTTP request, or has headers beyond the limit of Node. */
export function refuseConnection(thrown: Error & { readonly code?: string }, socket: Socket): void {
  if (thrown.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const reason = CONNECTION_ERRORS[thrown.code ?? ""] ?? "request: not valid HTTP";
  const error = new RaglineError("request_invalid", reason);
  const body = JSON.stringify({ error: error.body() });
  const head = `HTTP/1.1 ${error.status} Bad Request\r\nContent-Type: application/json\r\nConnection: close`;
  socket.end(`${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`, () => socket.destroy());
}

function translate(thrown: FastifyError, { bodyLimit, schema }: FastifyRequest["routeOptions"]): RaglineError {
  if (thrown instanceof RaglineError) return thrown;
  if (thrown.code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    return new RaglineError("request_invalid", `body: larger than ${bodyLimit} bytes`);
  }
  if (thrown.code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") {
    const types = schema?.consumes?.join(", ");
    return new RaglineError(
      "request_invalid",
      `content-type: must be ${types ? `one of ${types}` : "application/json"}`,
    );
  }
  if (thrown.statusCode !== undefined && thrown.statusCode >= 400 && thrown.statusCode < 500) {
    return new RaglineError("request_invalid", `body: ${thrown.message}`);
  }
  return toRaglineError(thrown);
}
