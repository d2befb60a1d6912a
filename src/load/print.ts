import type { Percentiles } from "../statistics.ts";
import type { Part, PartShare } from "./stages.ts";
import type { Summary } from "./summary.ts";

/** A run's figures for a terminal. */
export function summaryLines(summary: Summary): string[] {
  const { ttftMs, totalMs, goodput, errors, degraded, generator, heldBack } = summary;
  const { asked, completed, offeredPerSecond, completedPerSecond, cachedShare } = summary;
  return [
    "",
    `asked ${asked} (${offeredPerSecond}/s), answered whole ${completed} (${completedPerSecond}/s by the last arrival)`,
    "",
    row("ms, from when due", "p50", "p90", "p95", "p99", "max", "mean"),
    ...figures("time to first text", ttftMs),
    ...figures("whole answer", totalMs),
    ...(heldBack.turns > 0 ? figures("first text, from plan", heldBack.ttftMs) : []),
    "",
    `goodput   ${goodput.perSecond}/s, ${percent(goodput.share)} of what was asked, with the first text within ${goodput.objectiveMs} ms`,
    `errors    ${describeCounts(errors)}`,
    `degraded  ${percent(degraded.share)}${degraded.share > 0 ? `: ${describeCounts(degraded.by)}` : ""}`,
    `cached    ${percent(cachedShare)}`,
    ...(heldBack.turns > 0
      ? [`held back ${heldBack.turns} turns whose answer before had not ended, ${ms(heldBack.waitMs?.p99)} at p99`]
      : []),
    ...(summary.notAsked > 0 ? [`not asked ${summary.notAsked} turns, due after the end`] : []),
    "",
    "where the time went, mean",
    ...shareLines("to first text", summary.stages.ttft),
    ...shareLines("whole answer", summary.stages.total),
    "",
    `generator: sent ${ms(generator.lagMs?.p50)} late at p50, ${ms(generator.lagMs?.p99)} at p99; ${percent(generator.cpuShare)} of a core`,
    ...generator.warnings.map((warning) => `WARNING: the generator was part of what was measured: ${warning}`),
  ];
}

function figures(name: string, of: Percentiles | null): string[] {
  return of ? [row(name, of.p50, of.p90, of.p95, of.p99, of.max, of.mean)] : [`${name.padEnd(22)} nothing measured`];
}

function row(name: string, ...cells: readonly (string | number)[]): string {
  return (
    name.padEnd(22) + cells.map((cell) => (typeof cell === "number" ? cell.toFixed(1) : cell).padStart(11)).join("")
  );
}

/** Parts under this share are left to `--json` and the report. */
const SHARE_MIN = 0.01;

/** A connection is accepted when the server's event loop comes to it. */
const NAMES: Partial<Record<Part, string>> = { network: "network or waiting to be begun" };

function shareLines(name: string, parts: readonly PartShare[]): string[] {
  const shown = parts.filter(({ share }) => share >= SHARE_MIN).toSorted((a, b) => b.share - a.share);
  if (shown.length === 0) return [];
  return [
    `  ${name.padEnd(14)} ${shown.map(({ part, share, ms: each }) => `${NAMES[part] ?? part} ${percent(share)} (${ms(each)})`).join(", ")}`,
  ];
}

function describeCounts(counts: Readonly<Record<string, number>>): string {
  const entries = Object.entries(counts);
  return entries.length === 0 ? "none" : entries.map(([name, count]) => `${count} ${name}`).join(", ");
}

export function percent(share: number): string {
  const value = share * 100;
  return `${value > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)}%`;
}

function ms(value: number | undefined): string {
  return value === undefined ? "–" : `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
