import { z } from "zod";
import { count, httpUrl, ratio } from "./fields.ts";

export const telemetry = z.strictObject({
  metrics: z
    .boolean()
    .default(true)
    .describe("Serves `GET /metrics`, Prometheus' text. It names tenants and callers: keep it from the public."),
  tenantsMax: count(100, 10_000, "Tenants that metrics name; the requests of further ones count as `other`."),
  callersMax: count(100, 10_000, "Callers that metrics name; the requests of further ones count as `other`."),
  traces: z
    .enum(["none", "otlp", "global"])
    .default("none")
    .describe(
      "Where spans go: `otlp`: to an OpenTelemetry collector; `global`: to the provider that the host application registered with OpenTelemetry's API.",
    ),
  endpoint: httpUrl
    .optional()
    .describe(
      "Of the collector. Default: `OTEL_EXPORTER_OTLP_ENDPOINT`, else `http://localhost:4318`, for `grpc` `http://localhost:4317`.",
    ),
  protocol: z
    .enum(["http/protobuf", "grpc"])
    .default("http/protobuf")
    .describe("How the collector is spoken to. Default also by `OTEL_EXPORTER_OTLP_PROTOCOL`."),
  headers: z
    .record(z.string(), z.string())
    .default({})
    .describe("Sent to the collector over `http/protobuf`, e.g. its key. For `grpc` set `OTEL_EXPORTER_OTLP_HEADERS`."),
  sampling: ratio(0.1, "Share of new traces that are recorded; a caller's trace is followed as the caller decided."),
  serviceName: z.string().min(1).default("ragline").describe("Default also by `OTEL_SERVICE_NAME`."),
  content: z.boolean().default(false).describe("Also records prompts and answers in the spans of model calls."),
});

export const log = z.strictObject({
  level: z
    .enum(["silent", "error", "warn", "info", "debug"])
    .default("info")
    .describe("Least important line to write: `info` has one a request. Commands other than `serve` begin at `warn`."),
  content: z.boolean().default(false).describe("Also writes questions, answers and what upstreams say of them."),
});
