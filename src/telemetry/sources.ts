import type { EndpointState, Step } from "../types.ts";

/** What parts of Ragline count themselves, from the start of the process; read when somebody asks for the metrics. */
export interface MetricSources {
  /** Calls that wait for their turn, by step. */
  queues(): readonly { readonly step: Step; readonly waiting: number }[];
  saveCounts(): {
    readonly saved: number;
    readonly failed: number;
    readonly recovered: number;
    readonly lost: number;
    readonly waiting: number;
  };
  /** Texts of questions and passages that were looked for among embedded ones. */
  vectorCounts(): { readonly hits: number; readonly misses: number };
  /** Of all steps that are served at endpoints. */
  endpoints?(): readonly EndpointState[];
}
