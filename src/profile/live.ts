import type { Step } from "../types.ts";
import { adviceFor } from "./advice.ts";
import { type Bottleneck, type Finding, firstTextFinding, rate } from "./bottleneck.ts";
import { type Scraped, type StepTraffic, type Traffic, trafficOf } from "./traffic.ts";

/** Fewer calls in line than this are chance. */
const IN_LINE_MIN = 0.2;
const LOST_MIN = 0.02;
/** Where as many answers have no text, nothing else matters. */
const SILENT_MOST = 0.5;
const SILENT_NOTED = 0.1;
const BUSY_SHARE = 0.85;

/** From live metrics: where calls fail, stand in line or pile up, and what the first text waits for. */
export function liveBottleneck(scraped: Scraped, emulated: readonly Step[]): Bottleneck {
  const traffic = trafficOf(scraped);
  const since = scraped.before === null ? "since its start" : `over ${scraped.seconds} s`;
  const notes = notesOf(traffic);
  const outage = traffic.ended === 0 ? nothingEnded(traffic, since) : mostlySilent(traffic, since);
  const when = `${rate(traffic.withText / traffic.seconds)} with text, means ${since}`;
  return {
    throughput: outage ?? throughputFinding(traffic),
    firstText: outage && traffic.withText === 0 ? outage : firstTextFinding(traffic.waits, when),
    emulated,
    notes,
  };
}

function notesOf({ loopDelayMs, ended, withText, meanMs, seconds }: Traffic): string[] {
  const silent = ended === 0 ? 0 : 1 - withText / ended;
  const isShort = meanMs > (1000 * seconds) / 2;
  return [
    ...(silent >= SILENT_NOTED ? [`${percent(silent)} of the answers ended without any text`] : []),
    ...(isShort
      ? [`answers take ${(meanMs / 1000).toFixed(1)} s: where the load began just now, read for longer (--seconds)`]
      : []),
    ...(loopDelayMs === null ? [] : [`event loop delay, p99: ${loopDelayMs.toFixed(1)} ms`]),
  ];
}

function nothingEnded({ underWay, steps }: Traffic, since: string): Finding {
  const because = `no question was answered ${since}`;
  if (underWay === 0) return { stage: null, because, advice: "ask it something: ragline load" };
  const holding = steps.toSorted((a, b) => b.underWay - a.underWay)[0];
  return {
    stage: holding?.step ?? null,
    because: `${because}, and ${underWay} are under way${holding ? `, ${holding.underWay} of them in ${holding.step}` : ""}`,
    advice: failingAdvice(holding?.step ?? null),
  };
}

/** Null where most answers have text. */
function mostlySilent(traffic: Traffic, since: string): Finding | null {
  const { ended, withText, failures, steps } = traffic;
  const silent = ended - withText;
  if (silent < SILENT_MOST * ended) return null;
  const what = withText === 0 ? `no answer had any text ${since}` : `${percent(silent / ended)} of answers had no text`;
  const [most] = failures;
  if (most && most.count >= silent / 2) {
    const fails = `${most.step ?? "something before any step"} fails in ${percent(most.count / ended)}`;
    const because = `${what}: ${fails} (${most.codes.join(", ")})`;
    return { stage: most.step, because, advice: failingAdvice(most.step) };
  }
  const longest = steps.toSorted((a, b) => atOnce(b) - atOnce(a))[0];
  const time = longest ? `, after ${(longest.meanMs / 1000).toFixed(1)} s in ${longest.step}` : "";
  return {
    stage: longest?.step ?? null,
    because: `${what}: readers leave ${percent(silent / ended)} of them before it${time}`,
    advice: failingAdvice(longest?.step ?? null),
  };
}

function failingAdvice(step: Step | null): string {
  const look = "see what the log says of it, and /readyz: is it up, and does it answer?";
  return step === null ? look : `${look} Where it cannot keep up: ${adviceFor(step).throughput}`;
}

function throughputFinding(traffic: Traffic): Finding {
  const { steps, ended, failures, cpuShare, loopShare } = traffic;
  if ((loopShare ?? 0) > BUSY_SHARE || (cpuShare ?? 0) > BUSY_SHARE) return processFinding(traffic);
  const [worst] = steps
    .map((step) => suspicion(step, failures.find((one) => one.step === step.step)?.count ?? 0, traffic))
    .filter(({ evidence }) => evidence.length > 0)
    .sort((a, b) => b.weight - a.weight);
  if (worst) {
    const because = `${worst.step}: ${worst.evidence.join(", and ")}, at ${rate(worst.perSecond)}`;
    return { stage: worst.step, because, advice: adviceFor(worst.step).throughput };
  }
  const [failed] = failures;
  if (failed && failed.count >= LOST_MIN * ended) {
    const because = `${percent(failed.count / ended)} of answers fail before any step (${failed.codes.join(", ")})`;
    return { stage: null, because, advice: failingAdvice(null) };
  }
  return unbound(traffic);
}

/** The loop's share holds the time in which it has work and no core: less than a core may be all that a process gets. */
function processFinding({ cpuShare, loopShare, whole, seconds }: Traffic): Finding {
  const at = `at ${rate(whole / seconds)}`;
  const advice = adviceFor("process").throughput;
  if (loopShare === null || loopShare <= BUSY_SHARE) {
    return { stage: "process", because: `the process itself uses ${percent(cpuShare ?? 0)} of a core ${at}`, advice };
  }
  const busy = `the event loop of the process is busy ${percent(loopShare)} of the time ${at}`;
  if (cpuShare === null || cpuShare > BUSY_SHARE * loopShare) return { stage: "process", because: busy, advice };
  const starved = `${busy}, and gets ${percent(cpuShare)} of a core: others use it too, or a container's limit is less`;
  return { stage: "process", because: starved, advice: `a core of its own, then ${advice}` };
}

interface Suspicion {
  readonly step: Step;
  readonly perSecond: number;
  readonly evidence: readonly string[];
  /** Calls at once. */
  readonly weight: number;
}

function suspicion(traffic: StepTraffic, failed: number, { ended, seconds }: Traffic): Suspicion {
  const { step, perSecond, meanMs, inLine, queueMs, givenUp, underWay, underWayBefore } = traffic;
  const grown = growth(traffic, seconds);
  const evidence = [
    ...(inLine >= IN_LINE_MIN
      ? [`${inLine.toFixed(1)} calls wait in line on average, ${queueMs.toFixed(0)} ms each`]
      : []),
    ...(givenUp >= LOST_MIN ? [`${percent(givenUp)} of its calls are given up`] : []),
    ...(failed >= LOST_MIN * ended ? [`it fails ${percent(failed / ended)} of the answers`] : []),
    ...(grown > 0 ? [`calls pile up, ${underWayBefore} under way at first and ${underWay} at the end`] : []),
  ];
  // A call that was given up had waited for the step's whole limit; an answer that fails, however soon, is worth a second.
  const lost = givenUp * perSecond * (meanMs / 1000) + (failed / seconds) * Math.max(1, meanMs / 1000);
  return { step, perSecond, evidence, weight: inLine + lost + grown };
}

/** Of what begins; less is a matter of when the two readings were. */
const GROWTH_MIN = 0.1;
/** Of the difference of two counts of calls that come by chance. */
const DEVIATIONS_MIN = 3;

/** By how many calls more are under way than at first, where that is neither chance nor a load that has just begun; else 0. */
function growth({ underWay, underWayBefore, perSecond, meanMs }: StepTraffic, seconds: number): number {
  const grown = underWay - (underWayBefore ?? underWay);
  const begun = perSecond * seconds + grown;
  const isChance = grown < DEVIATIONS_MIN * Math.sqrt(underWay + underWay - grown) || grown < GROWTH_MIN * begun;
  // So many are under way at once where each takes its time and none waits.
  const isBeginning = underWay - grown < underWay / 3 && grown <= (begun / seconds) * (meanMs / 1000);
  return isChance || isBeginning ? 0 : grown;
}

function unbound({ steps, whole, seconds, cpuShare }: Traffic): Finding {
  const [busiest] = steps.toSorted((a, b) => atOnce(b) - atOnce(a));
  const facts = [
    `at ${rate(whole / seconds)} nothing waits in line and nothing is given up`,
    ...(busiest
      ? [`${busiest.step} has the most calls under way, ${atOnce(busiest).toFixed(2)} at once on average`]
      : []),
    ...(cpuShare === null ? [] : [`the process uses ${percent(cpuShare)} of a core`]),
  ];
  const advice = "nothing at this load; to find the bound raise it (ragline load --rate), or profile the stages";
  return { stage: null, because: facts.join("; "), advice };
}

/** Calls under way on average: rate times time. */
function atOnce({ perSecond, meanMs }: StepTraffic): number {
  return (perSecond * meanMs) / 1000;
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}
