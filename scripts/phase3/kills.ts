import { setTimeout as sleep } from "node:timers/promises";
import { askedOf, askOver } from "./asking.ts";
import type { Orchestrator, Phase3 } from "./services.ts";
import { ASKERS, type Counted, SteadyAsking, turnsOf } from "./steady.ts";

const FOLLOW_UPS = ["이월은 며칠까지 되나요?", "언제까지 써야 하나요?"];
/** A failover takes about 2 seconds here, nginx leaves a dead instance alone for 5. */
const GAP_MAX_MS = 15_000;
const BACK_MS = 60_000;
const STEADY_ANSWERS = 20;

/**
 * Questions go on through the gateway while an orchestrator, then Redis' master, is ended with SIGKILL; the conversation that the
 * first of them answered is gone on with.
 * @returns what was not as it must be
 */
export async function withKills(
  phase3: Phase3,
  sessionId: string,
  by: Orchestrator,
  signal: AbortSignal,
): Promise<string[]> {
  const faults: string[] = [];
  const asking = new SteadyAsking(phase3.url);
  const other = phase3.orchestrators.find((one) => one !== by);
  const until = (what: string, holds: () => boolean | Promise<boolean>) => within(BACK_MS, what, holds, signal);
  const answers = (part: Counted, more = part.answered + STEADY_ANSWERS) =>
    until("questions are answered", () => part.answered >= more);
  try {
    await answers(asking.begin("before"));
    const killed = asking.begin("orchestrator killed", true);
    await by.kill();
    faults.push(...(await followUp(phase3.url, FOLLOW_UPS[0] ?? "", sessionId)));
    console.log(`  ${by.name}, which had answered before, is dead; answered by ${other?.name}`);
    await answers(killed, STEADY_ANSWERS);
    const cut = sum(killed.cut);
    if (cut > ASKERS) faults.push(`${cut} answers were cut by one orchestrator's end`);
    asking.begin("orchestrator back");
    await by.restart();
    await until(`${by.name} is asked again`, async () => (await askedOf(by.url)) > 0);
    const failover = asking.begin("Redis master killed", true);
    await phase3.redis[0]?.kill();
    await until("turns are saved again", () => isSaved(phase3.url));
    await answers(failover);
    faults.push(...(await followUp(phase3.url, FOLLOW_UPS[1] ?? "", sessionId)));
    await answers(asking.begin("after"));
  } finally {
    await asking.stop();
  }
  printTable(asking.parts);
  const { acknowledged, missing } = await asking.lost();
  console.log(`${acknowledged} turns acknowledged as saved, ${missing} missing`);
  const turns = await turnsOf(phase3.url, sessionId);
  if (turns !== 1 + FOLLOW_UPS.length) faults.push(`the conversation has ${turns} turns`);
  if (missing > 0) faults.push(`${missing} acknowledged turns are missing`);
  for (const part of asking.parts) faults.push(...faultsOf(part));
  return faults;
}

async function isSaved(url: string): Promise<boolean> {
  const { fate, degraded } = await askOver(url, "연차휴가는 며칠인가요?");
  return fate === "answered" && degraded === "";
}

async function followUp(url: string, question: string, sessionId: string): Promise<string[]> {
  const { fate, text, failure, degraded } = await askOver(url, question, { sessionId });
  console.log(`\n(conversation) ${question}\n${failure || text}`);
  if (degraded) console.log(`  degraded: ${degraded}`);
  return fate === "answered" ? [] : [`${question}: ${failure}`];
}

function faultsOf({ part, failed, cut, longestGapMs }: Counted): string[] {
  const faults: string[] = [];
  const mayCut = part === "orchestrator killed";
  const mayFail = part === "Redis master killed";
  if (cut.size > 0 && !mayCut) faults.push(`${part}: ${[...cut.keys()].join(", ")}`);
  if (failed.size > 0 && !mayFail) faults.push(`${part}: ${[...failed.keys()].join(", ")}`);
  if (longestGapMs > GAP_MAX_MS) faults.push(`${part}: no answer for ${longestGapMs.toFixed(0)} ms`);
  return faults;
}

async function within(
  limitMs: number,
  what: string,
  holds: () => boolean | Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what}`);
    await sleep(100, undefined, { signal });
  }
}

function printTable(parts: readonly Counted[]): void {
  const row = (cells: readonly (string | number)[]) =>
    cells.map((cell, i) => (i === 0 ? String(cell).padEnd(22) : String(cell).padStart(13))).join("");
  console.log(`\n${row(["", "asked", "answered", "degraded", "failed", "cut", "longest gap"])}`);
  for (const { part, asked, answered, degraded, failed, cut, longestGapMs } of parts) {
    console.log(row([part, asked, answered, degraded, sum(failed), sum(cut), `${longestGapMs.toFixed(0)} ms`]));
    for (const [what, count] of [...failed, ...cut]) console.log(`  ${count} × ${what}`);
  }
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
