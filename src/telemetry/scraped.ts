import type { EndpointState, Step } from "../types.ts";
import { Counter, Gauge, type Registry } from "./prometheus.ts";
import type { MetricSources } from "./sources.ts";

const BREAKER = { closed: 0, "half-open": 1, open: 2 } as const;

type Labels = Record<string, string>;
type Lookups = (readonly [cache: string, result: string, count: number])[];

export interface LiveCounts {
  readonly activeStreams: number;
  readonly waitingRequests: number;
  /** Steps under way, of answers. */
  readonly activeSteps: ReadonlyMap<Step, number>;
  readonly answerLookups: Readonly<Record<"hit" | "miss" | "failed", number>>;
}

/** Metrics of what is counted elsewhere: read at each scrape. */
export function collectSources(registry: Registry, sources: MetricSources, live: LiveCounts): void {
  const add = (
    Kind: typeof Gauge | typeof Counter,
    name: string,
    help: string,
    labelNames: readonly string[],
    read: () => readonly (readonly [labels: Labels, value: number])[],
  ) =>
    new Kind({
      name: `ragline_${name}`,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.inc(labels, value);
      },
    });
  const endpoints = () => sources.endpoints?.() ?? [];
  const ofEach = (read: (state: EndpointState) => readonly (readonly [Labels, number])[]) => () =>
    endpoints().flatMap((state) =>
      read(state).map(([labels, value]) => [{ step: state.step, endpoint: state.endpoint, ...labels }, value] as const),
    );

  add(Gauge, "active_streams", "Answers under way.", [], () => [[{}, live.activeStreams]]);
  add(Gauge, "waiting_requests", "Questions and searches over HTTP that the busy process has not begun.", [], () => [
    [{}, live.waitingRequests],
  ]);
  add(Gauge, "active_steps", "Steps of answers under way, those that wait for their turn too.", ["step"], () =>
    [...live.activeSteps].map(([step, count]) => [{ step }, count]),
  );
  add(Counter, "cache_lookups_total", "What was looked for in a cache.", ["cache", "result"], () => {
    const { hits, misses } = sources.vectorCounts();
    const vectors: Lookups = [
      ["embedding", "hit", hits],
      ["embedding", "miss", misses],
    ];
    const answers = Object.entries(live.answerLookups).map(([result, count]) => ["answer", result, count] as const);
    return [...answers, ...vectors].map(([cache, result, count]) => [{ cache, result }, count]);
  });
  add(Gauge, "queue_depth", "Calls that wait for their turn.", ["step"], () =>
    sources.queues().map(({ step, waiting }) => [{ step }, waiting]),
  );
  add(
    Counter,
    "session_saves_total",
    "Turns that were stored, and what became of those that were not.",
    ["outcome"],
    () => {
      const { waiting: _, ...counts } = sources.saveCounts();
      return Object.entries(counts).map(([outcome, value]) => [{ outcome }, value]);
    },
  );
  add(Gauge, "session_saves_waiting", "Turns that could not be stored and are tried again.", [], () => [
    [{}, sources.saveCounts().waiting],
  ]);
  add(
    Gauge,
    "breaker_state",
    "Circuit breaker: 0 closed, 1 half-open, 2 open.",
    ["step", "endpoint"],
    ofEach(({ breaker }) => [[{}, BREAKER[breaker]]]),
  );
  add(
    Gauge,
    "endpoint_serving",
    "Whether an endpoint takes calls, by its own health: 1, or 0.",
    ["step", "endpoint"],
    ofEach(({ serving }) => [[{}, serving ? 1 : 0]]),
  );
  add(
    Counter,
    "endpoint_calls_total",
    "Calls of one of several endpoints.",
    ["step", "endpoint", "outcome"],
    ofEach(({ calls, failures }) => [
      [{ outcome: "ok" }, calls - failures],
      [{ outcome: "failed" }, failures],
    ]),
  );
  add(
    Counter,
    "hedges_total",
    "Second calls beside one that was slow.",
    ["step", "endpoint", "outcome"],
    ofEach(({ hedges, hedgesWon }) => [
      [{ outcome: "won" }, hedgesWon],
      [{ outcome: "lost" }, hedges - hedgesWon],
    ]),
  );
}
