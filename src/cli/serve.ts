import { once } from "node:events";
import type { Server } from "node:http";
import type { FastifyInstance } from "fastify";
import { loadConfig } from "../config.ts";
import { emulationNote } from "../emulation.ts";
import { RaglineError } from "../errors.ts";
import { listenOn } from "../http/listen.ts";
import { createServer } from "../http/server.ts";
import type { Config, Ragline } from "../index.ts";
import { isLoopback, notListening } from "../listening.ts";
import { createLogger } from "../telemetry/logger.ts";
import { createRedaction } from "../telemetry/redaction.ts";
import { collectForServing, holdYoungGeneration } from "./garbage-collection.ts";
import { printReport } from "./index-sources.ts";
import { outliveReaders } from "./outlive-readers.ts";
import { reloadCallers } from "./reload-callers.ts";
import { asTenant, groupsNamed, withRagline } from "./session.ts";

export interface ServeOptions {
  readonly port?: number;
  readonly host?: string;
  readonly watch?: readonly string[];
  readonly prune?: true;
  readonly tenant?: string;
  readonly group: readonly string[];
}

/** Running answers get so long to finish once the process is told to stop. */
const DRAIN_MS = 10_000;
/** After it those that go on are told that the server stops, and have so long to hear it. */
const FAREWELL_MS = 1_000;

/** `ragline serve`: answers over HTTP until it is told to stop; at SIGHUP it reads its callers again. */
export async function serveCommand(configFile: string | undefined, options: ServeOptions): Promise<void> {
  holdYoungGeneration();
  refuseWithoutWatch(options);
  const change = (config: Config) => asTenant(options.tenant)(withAddress(config, options));
  const redaction = createRedaction({});
  await withRagline(
    configFile,
    async (ragline, signal) => {
      collectForServing();
      const server = await listen(ragline);
      outliveReaders();
      try {
        const { documents, passages, stages, emulated } = await ragline.status();
        if (documents !== null) console.log(`${documents} documents, ${passages} passages`);
        for (const [step, use] of Object.entries(stages)) console.log(`  ${step.padEnd(9)}${use}`);
        if (emulated.length > 0) console.log(emulationNote(emulated));
        const { missing, degraded } = await server.readiness();
        for (const what of missing) console.log(`not ready: ${what}`);
        for (const what of degraded) console.log(`degraded: ${what}`);
        console.log(`listening on ${addressOf(server.server)}; Ctrl-C stops`);
        if (!ragline.config.server.callers && !isLoopback(ragline.config.server.host)) {
          ragline.log.warn(
            { host: ragline.config.server.host },
            "other machines may reach this server: it asks nobody who they are",
          );
        }
        await Promise.all([serveUntil(server, signal), watchSources(ragline, options, signal)]);
      } finally {
        await server.close();
      }
    },
    {
      change,
      log(config) {
        redaction.add(config);
        return createLogger(config.log.level, redaction);
      },
      onHangUp: (ragline) =>
        reloadCallers(ragline, () => {
          const config = change(loadConfig(configFile));
          redaction.add(config);
          return config;
        }),
    },
  );
}

function refuseWithoutWatch({ watch, group, prune }: ServeOptions): void {
  const option = groupsNamed(group).length > 0 ? "--group" : prune ? "--prune" : null;
  if (option === null || watch) return;
  throw new RaglineError("request_invalid", `${option}: says something of what --watch indexes; name that too`);
}

async function watchSources(
  ragline: Ragline,
  { watch = [], prune, group }: ServeOptions,
  signal: AbortSignal,
): Promise<void> {
  if (watch.length === 0) return;
  await ragline.watch(watch, { signal, documentGroups: group, ...(prune && { prune }), onReport: printReport });
}

export function withAddress(config: Config, { port, host }: Pick<ServeOptions, "port" | "host">): Config {
  const { server } = config;
  return { ...config, server: { ...server, port: port ?? server.port, host: host ?? server.host } };
}

/** @throws RaglineError `config_invalid`: the address cannot be listened on. */
export async function listen(ragline: Ragline): Promise<FastifyInstance> {
  const { host, port, probesPort } = ragline.config.server;
  const server = await createServer(ragline);
  try {
    await listening("server.port", `${host}:${port}`, listenOn(server, host, port));
    if (probesPort !== undefined) {
      server.probes.listen({ host, port: probesPort });
      await listening("server.probesPort", `${host}:${probesPort}`, once(server.probes, "listening"));
      ragline.log.info(`Probes listening at ${addressOf(server.probes)}`);
    }
    return server;
  } catch (thrown) {
    await server.close();
    throw thrown;
  }
}

async function listening(field: string, address: string, pending: Promise<unknown>): Promise<void> {
  await pending.catch((cause: NodeJS.ErrnoException) => {
    throw notListening(field, address, cause.code, cause);
  });
}

export function addressOf(server: Server): string {
  const address = server.address();
  if (typeof address === "string" || !address) return String(address);
  const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}

/** Resolves once the server has stopped: new connections are refused at once, running requests may finish within a bound. */
export async function serveUntil(server: FastifyInstance, signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  server.log.info(`${signal.reason.message}: no new requests; running answers may end`);
  const timers = [
    setTimeout(() => server.answers.stop(), DRAIN_MS),
    setTimeout(() => server.server.closeAllConnections(), DRAIN_MS + FAREWELL_MS),
  ];
  await server.turnAway();
  await server.close();
  for (const timer of timers) clearTimeout(timer);
}
