import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "./prometheus.ts";

/** How often the event loop is looked at; what delays it less is not seen. */
const RESOLUTION_MS = 20;
const QUANTILES = [0.5, 0.9, 0.99, 1];

/** Metrics of this process: Prometheus' own of processes, Node's, and how late the event loop is. Make one a process. */
export function createProcessMetrics(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: RESOLUTION_MS });
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  new Gauge({
    name: "ragline_event_loop_delay_seconds",
    help: "How late the event loop was, since the last scrape; quantile 1 is the longest delay.",
    labelNames: ["quantile"],
    registers: [registry],
    collect() {
      for (const quantile of QUANTILES) this.set({ quantile: String(quantile) }, delayed(delay, quantile));
      delay.reset();
    },
  });
  new Counter({
    name: "ragline_event_loop_active_seconds_total",
    help: "How long the event loop had something to do, whether or not it had a core to do it on.",
    registers: [registry],
    collect() {
      this.reset();
      this.inc(performance.eventLoopUtilization().active / 1000);
    },
  });
  return registry;
}

/** Node measures the time between two looks. */
function delayed(delay: ReturnType<typeof monitorEventLoopDelay>, quantile: number): number {
  if (delay.count === 0) return 0;
  const seconds = delay.percentile(quantile * 100) / 1e9;
  return Math.max(0, seconds - RESOLUTION_MS / 1000);
}
