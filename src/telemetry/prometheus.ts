/** The Prometheus client, which the package brings along bundled: everybody takes it from here. */
export { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
