import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Logger } from "pino";
import { RaglineError } from "../errors.ts";
import { notListening } from "../listening.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { LanguageModel } from "../ports/language-model.ts";
import type { Reranker } from "../ports/reranker.ts";
import type { Traces } from "../telemetry/traces.ts";
import { HEALTH, REFLECTION, STAGE, STAGE_SERVICES, serviceOf } from "../wire/definitions.ts";
import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from "../wire/library.ts";
import { describeStage } from "./describe.ts";
import { Gate } from "./gate.ts";
import type { Serving } from "./handlers.ts";
import { unary } from "./handlers.ts";
import { Health } from "./health.ts";
import { embedHandlers, generateHandlers, type Handlers, rerankHandlers } from "./models.ts";
import { keepOpenFiles } from "./open-files.ts";
import { addReflection } from "./reflection.ts";
import { type IndexFor, searchHandlers } from "./search.ts";

export { stageProblem } from "./describe.ts";

/** What one process serves. */
export type ServedStage =
  | { readonly stage: "embed"; readonly port: Embedder }
  | { readonly stage: "rerank"; readonly port: Reranker }
  | { readonly stage: "generate"; readonly port: LanguageModel }
  | { readonly stage: "search"; readonly port: IndexFor; readonly use: string };

export interface StageServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** PEM. Both or neither: plain text. */
  readonly certificateFile?: string | undefined;
  readonly keyFile?: string | undefined;
  /** PEM. Callers must show a certificate of this authority. */
  readonly clientCaFile?: string | undefined;
  readonly messageBytesMax: number;
  /** Running calls get so long to end once the stage is told to stop. */
  readonly drainMs: number;
  readonly keepAliveMs: number;
}

export interface StageServer {
  /** `host:port` that is listened on. */
  readonly address: string;
  readonly port: number;
  readonly health: Health;
  /**
   * Health says NOT_SERVING, new calls are refused with UNAVAILABLE, running ones may end within `drainMs`; then it stops listening.
   */
  close(): Promise<void>;
}

/** How often what is served is asked whether it can answer. */
const PROBE_MS = 500;
const FAREWELL_MS = 500;
const KEEP_ALIVE_TIMEOUT_MS = 5000;

/**
 * Serves a port over gRPC, with `grpc.health.v1` and reflection. It does not serve until `ready` is called, which says from then on
 * what keeps it from answering.
 * @throws RaglineError `config_invalid`: the address cannot be listened on, or a PEM file cannot be used.
 */
export async function serveStage(
  served: ServedStage,
  options: StageServerOptions,
  log: Logger,
  traces?: Traces | null,
): Promise<StageServer & Ready> {
  // What it prints of its own would stand between the lines of the log; every error comes as one.
  setLogVerbosity(logVerbosity.NONE);
  const service = STAGE_SERVICES[served.stage];
  const health = new Health(service);
  const gate = new Gate();
  const server = new Server({
    "grpc.max_receive_message_length": options.messageBytesMax,
    "grpc.max_send_message_length": options.messageBytesMax,
    "grpc.keepalive_time_ms": options.keepAliveMs,
    "grpc.keepalive_timeout_ms": KEEP_ALIVE_TIMEOUT_MS,
  });
  const serving: Serving = { gate, log, traces };
  server.addService(serviceOf(service), { ...handlersOf(served, serving) });
  server.addService(serviceOf(STAGE), { describe: unary(serving, () => describeStage(served)) });
  health.addTo(server);
  addReflection(server, [service, STAGE, HEALTH, REFLECTION]);
  const port = await listen(server, options);
  const letGo = keepOpenFiles(log);
  let probe: NodeJS.Timeout | undefined;
  return {
    address: `${options.host}:${port}`,
    port,
    health,
    ready(problem) {
      const look = () => health.set(problem() === null);
      look();
      probe = setInterval(look, PROBE_MS);
    },
    async close() {
      clearInterval(probe);
      health.set(false);
      await gate.close(options.drainMs);
      health.close();
      await shutDown(server);
      letGo();
    },
  };
}

interface Ready {
  /** From now on it serves while `problem` gives null. */
  ready(problem: () => string | null): void;
}

function handlersOf(served: ServedStage, serving: Serving): Handlers {
  switch (served.stage) {
    case "embed":
      return embedHandlers(served.port, serving);
    case "rerank":
      return rerankHandlers(served.port, serving);
    case "generate":
      return generateHandlers(served.port, serving);
    case "search":
      return searchHandlers(served.port, serving);
  }
}

function listen(server: Server, options: StageServerOptions): Promise<number> {
  const { host, port } = options;
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const credentials = credentialsOf(options);
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (cause, bound) => {
      if (!cause) resolve(bound);
      // gRPC's library has the system's code in its text alone.
      else reject(notListening("stage.port", address, /\bE[A-Z]{4,}\b/.exec(cause.message)?.[0], cause));
    });
  });
}

function credentialsOf({ certificateFile, keyFile, clientCaFile }: StageServerOptions): ServerCredentials {
  if (certificateFile === undefined || keyFile === undefined) return ServerCredentials.createInsecure();
  const read = (field: string, file: string) => {
    try {
      return readFileSync(file);
    } catch (cause) {
      throw new RaglineError("config_invalid", `stage.${field}: ${file} cannot be read`, { cause });
    }
  };
  const pair = { cert_chain: read("certificateFile", certificateFile), private_key: read("keyFile", keyFile) };
  const clientCa = clientCaFile === undefined ? null : read("clientCaFile", clientCaFile);
  try {
    // What is no certificate would be found only when the port is opened, or never.
    createSecureContext({ cert: pair.cert_chain, key: pair.private_key });
    if (clientCa) new X509Certificate(clientCa);
    return ServerCredentials.createSsl(clientCa, [pair], clientCa !== null);
  } catch (cause) {
    const fields = `stage.certificateFile, stage.keyFile${clientCa ? ", stage.clientCaFile" : ""}`;
    const message = `${fields}: cannot be used: ${(cause as Error).message}`;
    throw new RaglineError("config_invalid", message, { cause });
  }
}

/** Those who still hold a connection are sent away. */
async function shutDown(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    server.forceShutdown();
    resolve();
  }, FAREWELL_MS);
  server.tryShutdown(() => resolve());
  await promise;
  clearTimeout(timer);
}
