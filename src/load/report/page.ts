import { emulationNote } from "../../emulation.ts";
import type { Percentiles } from "../../statistics.ts";
import { STEPS } from "../../types.ts";
import type { DrivenRun, Sample } from "../drive.ts";
import { percent } from "../print.ts";
import { firstTextShares } from "../stages.ts";
import { isWhole, measured, type Summary, type SummaryContext, totalOf, ttftOf } from "../summary.ts";
import { distributions } from "./cdf.ts";
import { inFlightOverTime, latencyOverTime } from "./over-time.ts";
import { duration, escapeHtml } from "./scale.ts";
import { type StageBar, stageBars, stageLegend } from "./stage-bars.ts";
import { partColours, STYLE } from "./style.ts";

/** A run as one HTML page that needs nothing else: no script, no font, no image. Readable on light and dark ground. */
export function reportPage(run: DrivenRun, summary: Summary, context: SummaryContext): string {
  const samples = measured(run, context.warmUpMs);
  const whole = samples.filter(isWhole);
  const time = { samples, ms: run.ms, objectiveMs: context.objectiveMs };
  const bars = barsOf(summary, whole);
  const body = [
    header(summary),
    notes(summary),
    tiles(summary),
    card(
      "Time to first text",
      "Each point is an answer, placed at the moment it was due; its time counts from there. Marks on the upper edge are failures.",
      latencyOverTime(time),
    ),
    card("Under way", "Requests that were due and had no whole answer yet.", inFlightOverTime(time)),
    card(
      "How long answers took",
      "The share of whole answers that came within each time. Dots: p50, p95, p99.",
      `<div class="legend"><span><i class="key swatch-ttft"></i>first text</span><span><i class="key swatch-whole"></i>whole answer</span></div>`,
      distributions(
        [
          { name: "first text", className: "ttft", values: whole.flatMap((sample) => ttftOf(sample) ?? []) },
          { name: "whole answer", className: "whole", values: whole.map(totalOf) },
        ],
        context.objectiveMs,
      ),
    ),
    card(
      "Where the time went",
      "Means, as the server's own timings say, with what lies before and around them.",
      stageBars(bars),
      `<div class="scroll">${stageLegend(bars)}</div>`,
    ),
    card("In figures", "", `<div class="scroll">${figures(summary)}</div>`),
    `<footer>${generatorLine(summary)} Written by <code>ragline load</code>.</footer>`,
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Load test of ${escapeHtml(summary.url)}</title><style>${STYLE}${partColours([...STEPS, "orchestrator", "network", "generator"])}</style></head>
<body><main>${body.join("\n")}</main></body></html>
`;
}

function card(title: string, explanation: string, ...content: readonly string[]): string {
  const lead = explanation === "" ? "" : `<p>${explanation}</p>`;
  return `<section class="card"><h2>${title}</h2>${lead}${content.join("")}</section>`;
}

function header({ url, startedAt, arrivals, questions, seconds }: Summary): string {
  const at = `${startedAt.slice(0, 10)} ${startedAt.slice(11, 19)} UTC`;
  return `<h1>Load test of ${escapeHtml(url)}</h1><p class="lead">${escapeHtml(at)}, ${duration(seconds * 1000)}. <b>${escapeHtml(arrivals)}</b>; ${escapeHtml(questions)}.</p>`;
}

function notes({ emulated, generator }: Summary): string {
  const lines = generator.warnings.map(
    (warning) => `<b>The generator was part of what was measured</b>: ${escapeHtml(warning)}.`,
  );
  if (emulated && emulated.length > 0) {
    lines.unshift(
      `<b>Emulated stages</b>: ${escapeHtml(emulationNote(emulated))
        .replace(/^emulated: /, "")
        .replace(/`([^`]*)`/g, "<code>$1</code>")}.`,
    );
  }
  return lines.map((line) => `<p class="note-box">${line}</p>`).join("");
}

function tiles(summary: Summary): string {
  const { ttftMs, totalMs, goodput, asked, completed, completedPerSecond, errors } = summary;
  const failed = Object.values(errors).reduce((sum, count) => sum + count, 0);
  const all: readonly (readonly [name: string, value: string, isBad?: boolean])[] = [
    ["first text, p50", timeOf(ttftMs?.p50)],
    ["first text, p95", timeOf(ttftMs?.p95), (ttftMs?.p95 ?? 0) > goodput.objectiveMs],
    ["first text, p99", timeOf(ttftMs?.p99), (ttftMs?.p99 ?? 0) > goodput.objectiveMs],
    [`first text within ${duration(goodput.objectiveMs)}`, percent(goodput.share), goodput.share < 0.95],
    ["whole answer, p50", timeOf(totalMs?.p50)],
    ["whole answer, p95", timeOf(totalMs?.p95)],
    ["answered per second", String(completedPerSecond)],
    [`failed, of ${asked}`, String(asked - completed), failed > 0],
  ];
  const tile = all.map(
    ([name, value, isBad]) =>
      `<div class="tile${isBad ? " bad" : ""}"><span>${escapeHtml(name)}</span><strong>${escapeHtml(value)}</strong></div>`,
  );
  return `<div class="tiles">${tile.join("")}</div>`;
}

/** The slowest of so many are shown by themselves: what the mean hides. */
const SLOWEST_SHARE = 0.05;

function barsOf({ stages }: Summary, whole: readonly Sample[]): StageBar[] {
  const ranked = whole.filter((sample) => ttftOf(sample) !== null).sort((a, b) => (ttftOf(b) ?? 0) - (ttftOf(a) ?? 0));
  const slowest = ranked.slice(0, Math.ceil(ranked.length * SLOWEST_SHARE));
  return [
    { name: "first text", parts: stages.ttft },
    { name: "first text, slowest 5%", parts: firstTextShares(slowest) },
    { name: "whole answer", parts: stages.total },
  ];
}

function figures(summary: Summary): string {
  const { ttftMs, totalMs, heldBack, errors, degraded, cachedShare, goodput } = summary;
  const times = (name: string, of: Percentiles | null) => {
    const cells = of ? [of.p50, of.p90, of.p95, of.p99, of.max, of.mean].map(duration) : Array(6).fill("–");
    return `<tr><th scope="row">${name}</th>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
  };
  const one = (name: string, value: string) =>
    `<tr><th scope="row">${name}</th><td colspan="6">${escapeHtml(value)}</td></tr>`;
  const counts = (of: Readonly<Record<string, number>>) =>
    Object.entries(of)
      .map(([name, count]) => `${count} ${name}`)
      .join(", ") || "none";
  const rows = [
    times("first text", ttftMs),
    times("whole answer", totalMs),
    ...(heldBack.turns > 0 ? [times("first text, from the plan", heldBack.ttftMs)] : []),
    one("asked", `${summary.asked}, ${summary.offeredPerSecond}/s`),
    one("answered whole", `${summary.completed}, ${summary.completedPerSecond}/s by the last arrival`),
    one("goodput", `${goodput.perSecond}/s, ${percent(goodput.share)} of what was asked`),
    one("errors", counts(errors)),
    one("degraded", degraded.share > 0 ? `${percent(degraded.share)}: ${counts(degraded.by)}` : "none"),
    one("from the cache", percent(cachedShare)),
    ...(heldBack.turns > 0 ? [one("held back", `${heldBack.turns} turns until the answer before had ended`)] : []),
  ];
  const head = ["", "p50", "p90", "p95", "p99", "max", "mean"].map((name) => `<th>${name}</th>`).join("");
  return `<table><thead><tr>${head}</tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

function generatorLine({ generator }: Summary): string {
  const { lagMs, cpuShare, loopDelayMs } = generator;
  return `The generator sent ${timeOf(lagMs?.p50)} late at p50 and ${timeOf(lagMs?.p99)} at p99, used ${percent(cpuShare)} of a core, and its event loop stood still for ${duration(loopDelayMs)} at p99.`;
}

function timeOf(ms: number | undefined): string {
  return ms === undefined ? "–" : duration(ms);
}
