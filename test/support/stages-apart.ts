import { pino } from "pino";
import type { GrpcOptions } from "../../src/adapters/grpc/channel.ts";
import type { ServedStage, StageServerOptions } from "../../src/grpc/serve.ts";
import { serveStage } from "../../src/grpc/serve.ts";

const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

export type OpenedStage = Awaited<ReturnType<typeof serveOnLoopback>>;

/** A stage behind a real socket, which serves at once. */
export async function serveOnLoopback(served: ServedStage, options: Partial<StageServerOptions> = {}) {
  const server = await serveStage(
    served,
    {
      host: "127.0.0.1",
      port: 0,
      messageBytesMax: MESSAGE_BYTES_MAX,
      drainMs: 2000,
      keepAliveMs: 30_000,
      ...options,
    },
    pino({ level: "silent" }),
  );
  server.ready(() => null);
  return server;
}

export function clientOptions(
  step: GrpcOptions["step"],
  endpoints: readonly string[],
  change: Partial<GrpcOptions> = {},
): GrpcOptions {
  return {
    step,
    endpoints,
    tls: false,
    keepAliveMs: 30_000,
    reconnectMaxMs: 500,
    messageBytesMax: MESSAGE_BYTES_MAX,
    ...change,
  };
}

/** The port of the only endpoint. */
export function only<P>(opened: readonly { readonly port: P }[]): P {
  const [first] = opened;
  if (!first || opened.length > 1) throw new Error(`${opened.length} endpoints`);
  return first.port;
}
