import type { Logger } from "pino";
import type { ComposedStage } from "../compose/stage.ts";
import { type Config, loadConfig } from "../config.ts";
import { isLoopback } from "../listening.ts";
import { createLogger } from "../telemetry/logger.ts";
import { openTracing } from "../telemetry/open-tracing.ts";
import { createRedaction } from "../telemetry/redaction.ts";
import type { CallOptions } from "../types.ts";
import { VERSION } from "../version.ts";
import { outliveReaders } from "./outlive-readers.ts";
import { stopSignal } from "./session.ts";

export interface StageOptions {
  readonly port?: number;
  readonly host?: string;
}

/** `ragline stage`: serves one stage over gRPC until it is told to stop. */
export async function stageCommand(
  configFile: string | undefined,
  name: ComposedStage["stage"],
  options: StageOptions,
): Promise<void> {
  const config = loadConfig(configFile);
  const log = createLogger(config.log.level, createRedaction(config));
  const tracing = await openTracing(config.telemetry, VERSION, log);
  // gRPC's library takes longer to load than everything else.
  const [{ composeStage }, { serveStage, stageProblem }] = await Promise.all([
    import("../compose/stage.ts"),
    import("../grpc/serve.ts"),
  ]);
  const stop = stopSignal();
  try {
    const stage = await composeStage(config, name, tracing?.tracer);
    try {
      const listening = { ...config.stage, ...options };
      const server = await serveStage(stage, listening, log, tracing);
      outliveReaders();
      try {
        console.log(`stage ${name} listening on ${server.address}; Ctrl-C stops`);
        const { host, certificateFile } = listening;
        if (!isLoopback(host) && certificateFile === undefined) {
          log.warn({ host }, "other machines may reach this stage, in plain text: it asks nobody who they are");
        }
        await warm(stage, config, stop, log);
        server.ready(() => stageProblem(stage));
        console.log(`${server.health.isServing ? "serving" : `not ready: ${stageProblem(stage)}`}`);
        if (!stop.signal.aborted) {
          await new Promise((resolve) => stop.signal.addEventListener("abort", resolve, { once: true }));
        }
      } finally {
        await server.close();
      }
    } finally {
      await stage.close();
    }
  } finally {
    await tracing?.close();
    stop.release();
  }
}

async function warm(stage: ComposedStage, config: Config, call: CallOptions, log: Logger): Promise<void> {
  if (stage.stage === "search") {
    const { tenant, collection } = config;
    await (await stage.port(null)).version({ tenant, collection, groups: [] }, call);
  } else {
    await stage.port.warm?.(call).catch((err: unknown) => log.error({ err }, "the model cannot be loaded"));
  }
}
