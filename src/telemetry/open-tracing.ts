import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { SpanExporter } from "@opentelemetry/sdk-trace";
import type { Logger } from "pino";
import { RaglineError } from "../errors.ts";
import { context, createContextKey, propagation, ROOT_CONTEXT, trace } from "./api.ts";
import { Tracing } from "./tracing.ts";

/** The configuration's own words. */
export interface TracingOptions {
  readonly traces: "none" | "otlp" | "global";
  readonly endpoint?: string | undefined;
  readonly protocol: "http/protobuf" | "grpc";
  readonly headers: Readonly<Record<string, string>>;
  readonly sampling: number;
  readonly serviceName: string;
}

const NAME = "ragline";
/** For a batch of spans, further tries included. */
const EXPORT_TIMEOUT_MS = 5000;
/** The host application's provider is its own to flush. */
const HOSTS = { forceFlush: async () => undefined, shutdown: async () => undefined, hangUp: () => undefined };
const PACKAGES =
  "@opentelemetry/core@3 @opentelemetry/resources@3 @opentelemetry/context-async-hooks@3 @opentelemetry/sdk-trace@3";

/** The log has one line when spans cannot be sent, one more after some could, and one of those that were lost in the end. @throws RaglineError `config_invalid`: a package is not installed. */
export async function openTracing(
  options: TracingOptions,
  version: string,
  log: Pick<Logger, "warn">,
): Promise<Tracing | null> {
  if (options.traces === "none") return null;
  if (options.traces === "global") return new Tracing(trace.getTracer(NAME, version), HOSTS);
  const { protocol } = options;
  const exporterPackage = `@opentelemetry/exporter-trace-otlp-${protocol === "grpc" ? "grpc" : "proto"}`;
  const [core, resources, hooks, sdk, { exporter, hangUp }] = await Promise.all([
    import("@opentelemetry/core"),
    import("@opentelemetry/resources"),
    import("@opentelemetry/context-async-hooks"),
    import("@opentelemetry/sdk-trace"),
    openExporter(options),
  ]).catch((cause: unknown) => {
    const message = `telemetry.traces: otlp needs packages: npm install ${PACKAGES} ${exporterPackage}@0.301`;
    throw new RaglineError("config_invalid", message, { cause });
  });
  if (!keepsContext()) context.setGlobalContextManager(new hooks.AsyncLocalStorageContextManager().enable());
  if (propagation.fields().length === 0) propagation.setGlobalPropagator(new core.W3CTraceContextPropagator());
  const outlet = watched(exporter, log);
  const provider = new sdk.TracerProvider({
    resource: resources
      .defaultResource()
      .merge(resources.resourceFromAttributes({ "service.name": options.serviceName, "service.version": version })),
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(options.sampling) }),
    spanProcessors: [new sdk.BatchSpanProcessor({ exporter: outlet })],
  });
  return new Tracing(provider.getTracer(NAME, version), {
    forceFlush: () => provider.forceFlush(),
    shutdown: () => provider.shutdown(),
    hangUp() {
      const spans = outlet.lost();
      if (spans > 0) log.warn({ spans }, "telemetry.endpoint did not take the last spans in time; they are lost");
      hangUp();
    },
  });
}

async function openExporter({ protocol, endpoint, headers }: TracingOptions): Promise<{
  readonly exporter: SpanExporter;
  readonly hangUp: () => void;
}> {
  if (protocol === "grpc") {
    const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-grpc");
    const url = endpoint ?? "http://localhost:4317";
    const exporter = new OTLPTraceExporter({ url, timeoutMillis: EXPORT_TIMEOUT_MS });
    return { exporter, hangUp: () => undefined };
  }
  const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-proto");
  const url = new URL(endpoint ?? "http://localhost:4318");
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/v1/traces`;
  const agent = url.protocol === "https:" ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true });
  const exporter = new OTLPTraceExporter({
    url: url.href,
    headers: { ...headers },
    timeoutMillis: EXPORT_TIMEOUT_MS,
    httpAgentOptions: () => agent,
  });
  return { exporter, hangUp: () => hangUpAll(agent) };
}

/** With an error that has no code: after others the exporter would try again. */
function hangUpAll(agent: HttpAgent): void {
  for (const socket of Object.values(agent.sockets).flat()) socket?.destroy(new Error("Tracing has ended."));
  agent.destroy();
}

/** The same exporter; a collector that is away is told of once, not with every batch. */
function watched(exporter: SpanExporter, log: Pick<Logger, "warn">): SpanExporter & { lost(): number } {
  let isQuiet = false;
  let underWay = 0;
  return {
    export(spans, done) {
      underWay += spans.length;
      exporter.export(spans, (result) => {
        underWay -= spans.length;
        if (result.error && !isQuiet) {
          log.warn({ err: result.error }, "spans cannot be sent to telemetry.endpoint; they are dropped");
        }
        isQuiet = result.error !== undefined;
        done(result);
      });
    },
    /** In the end: spans under way; none to tell of where it is known that the collector is away. */
    lost() {
      const isKnown = isQuiet;
      isQuiet = true;
      return isKnown ? 0 : underWay;
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}

/** Whether somebody, the host application say, has set up how a context follows asynchronous calls. */
function keepsContext(): boolean {
  const key = createContextKey("ragline");
  return context.with(ROOT_CONTEXT.setValue(key, true), () => context.active().getValue(key) === true);
}
