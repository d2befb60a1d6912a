import { sum } from "../statistics.ts";
import type { Step } from "../types.ts";
import { adviceFor } from "./advice.ts";
import type { Profile } from "./profile.ts";

/** A stage, or the process that runs the pipeline. */
export type Suspect = Step | "process";

export interface Finding {
  /** Null: no stage is the bound. */
  readonly stage: Suspect | null;
  /** In plain words, with the numbers. */
  readonly because: string;
  /** What to do next; empty where nothing needs to be done. */
  readonly advice: string;
}

export interface Bottleneck {
  readonly throughput: Finding;
  readonly firstText: Finding;
  readonly emulated: readonly Step[];
  /** What limits what can be said. */
  readonly notes: readonly string[];
}

interface Capacity {
  readonly stage: Suspect;
  /** Questions a second: each asks every stage once. */
  readonly perSecond: number;
  readonly use?: string;
}

/** From a profile: the stage that answers the fewest calls a second, and the one that the first text waits for longest. */
export function bottleneckOf(profile: Profile): Bottleneck {
  const { stages, emulated } = profile;
  const notes = stages.flatMap(({ step, errors }) => {
    const failed = sum(Object.values(errors));
    return failed > 0 ? [`${step}: ${failed} calls failed while it was profiled`] : [];
  });
  const cpuMs = sum(stages.map(({ cpuMsPerCall }) => cpuMsPerCall ?? 0));
  const capacities: Capacity[] = stages
    .filter(({ callsPerSecondMax }) => callsPerSecondMax > 0)
    .map(({ step, use, callsPerSecondMax }) => ({ stage: step, use, perSecond: callsPerSecondMax }));
  if (cpuMs > 0) capacities.push({ stage: "process", perSecond: 1000 / cpuMs });
  const waits = stages.map(({ step, serviceMs }) => ({ stage: step, ms: serviceMs?.p50 ?? 0 }));
  return {
    throughput: throughputFinding(capacities, cpuMs),
    firstText: firstTextFinding(waits, "at one question at a time, p50"),
    emulated,
    notes: [...notes, "a profile drives each stage alone: sessions, cache, prompt and HTTP are not in it"],
  };
}

function throughputFinding(capacities: readonly Capacity[], cpuMs: number): Finding {
  const [least, next] = capacities.toSorted((a, b) => a.perSecond - b.perSecond);
  if (!least) return { stage: null, because: "no stage answered any call", advice: "" };
  const what =
    least.stage === "process"
      ? `the stages take ${cpuMs.toFixed(1)} ms of this process's time a question, which is ${rate(least.perSecond)} at most`
      : `${least.stage} answers ${rate(least.perSecond)} at most, and every question asks it once`;
  const then = next
    ? `; next comes ${next.stage} with ${rate(next.perSecond)}, ${(next.perSecond / least.perSecond).toFixed(1)} times as many`
    : "";
  const advised = WITHIN_PROCESS.includes(least.use ?? "") ? "process" : least.stage;
  return { stage: least.stage, because: what + then, advice: adviceFor(advised).throughput };
}

/** Half of the 100 ms that readers take for at once (Nielsen, Usability Engineering, 1993, ch. 5); the other half is the network's and the page's. */
const AT_ONCE_MS = 50;
/** They run in this process, and more of them are more of it. */
const WITHIN_PROCESS = ["extractive", "lexical", "static"];

/** The largest part of the wait for the first text; none where nobody notices a wait. */
export function firstTextFinding(
  waits: readonly { readonly stage: Step; readonly ms: number }[],
  when: string,
): Finding {
  const whole = sum(waits.map(({ ms }) => ms));
  const ranked = waits.toSorted((a, b) => b.ms - a.ms);
  const [longest] = ranked;
  if (!longest || whole === 0) return { stage: null, because: "no stage took any time", advice: "" };
  const parts = ranked.filter(({ ms }) => ms >= 0.005 * whole).map(({ stage, ms }) => `${stage} ${ms.toFixed(1)}`);
  const detail = `(${when}: ${parts.join(", ")})`;
  if (whole <= AT_ONCE_MS) {
    const because = `the first text is there after ${whole.toFixed(1)} ms, which no reader notices; ${longest.stage} takes the most of them ${detail}`;
    return { stage: null, because, advice: "" };
  }
  const because = `${longest.stage} takes ${longest.ms.toFixed(1)} of the ${whole.toFixed(1)} ms to the first text, ${Math.round((100 * longest.ms) / whole)}% ${detail}`;
  return { stage: longest.stage, because, advice: adviceFor(longest.stage).firstText };
}

export function rate(perSecond: number): string {
  return `${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)} a second`;
}
