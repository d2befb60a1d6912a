import { z } from "zod";
import { count } from "./config-fields.ts";

export const telemetry = z.strictObject({
  metrics: z
    .boolean()
    .default(true)
    .describe("Serves `GET /metrics`, Prometheus' text. It names tenants: keep it from the public."),
  tenantsMax: count(100, 10_000, "Tenants that metrics name; the requests of further ones count as `other`."),
});

export const log = z.strictObject({
  level: z
    .enum(["silent", "error", "warn", "info", "debug"])
    .default("info")
    .describe("Least important line to write: `info` has one a request. Commands other than `serve` begin at `warn`."),
  content: z.boolean().default(false).describe("Also writes questions, answers and what upstreams say of them."),
});
