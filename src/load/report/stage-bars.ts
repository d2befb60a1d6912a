import type { Part, PartShare } from "../stages.ts";
import { svg, text } from "./over-time.ts";
import { duration, escapeHtml } from "./scale.ts";

export interface StageBar {
  readonly name: string;
  readonly parts: readonly PartShare[];
}

const LEFT = 190;
const RIGHT = 950;
const BAR = 34;
const STEP = 54;
/** Narrower pieces hold no label. */
const LABELLED_PIXELS = 46;

/** A bar of equal length for each, cut by the shares of its parts. */
export function stageBars(bars: readonly StageBar[]): string {
  const drawn = bars.filter(({ parts }) => parts.length > 0);
  const rows = drawn.map(({ name, parts }, row) => {
    const top = row * STEP + 6;
    let from = LEFT;
    const pieces = parts.map(({ part, share, ms }) => {
      const width = share * (RIGHT - LEFT);
      const title = escapeHtml(`${part}: ${duration(ms)}, ${(share * 100).toFixed(1)}%`);
      const label =
        width > LABELLED_PIXELS ? text(from + width / 2, top + BAR / 2 + 4, duration(ms), "middle on-colour") : "";
      const gap = Math.min(1.5, width / 4);
      const piece = `<rect class="part ${part}" x="${from.toFixed(1)}" y="${top}" width="${Math.max(0.5, width - gap).toFixed(1)}" height="${BAR}"><title>${title}</title></rect>${label}`;
      from += width;
      return piece;
    });
    const whole = parts.reduce((sum, { ms }) => sum + ms, 0);
    return `${text(0, top + 15, name, "bar-name")}${text(0, top + 31, duration(whole), "note")}${pieces.join("")}`;
  });
  return svg(drawn.length * STEP, "Where the time went, by stage", rows);
}

/** Names and figures of the parts, by colour. */
export function stageLegend(bars: readonly StageBar[]): string {
  const parts = [...new Set<Part>(bars.flatMap(({ parts }) => parts.map(({ part }) => part)))];
  const head = bars.map(({ name }) => `<th>${escapeHtml(name)}</th>`).join("");
  const rows = parts.map((part) => {
    const cells = bars.map(({ parts }) => {
      const found = parts.find((one) => one.part === part);
      return `<td>${found ? `${duration(found.ms)} <span class="dim">${(found.share * 100).toFixed(1)}%</span>` : ""}</td>`;
    });
    return `<tr><th scope="row"><i class="key ${part}"></i>${EXPLAINED[part] ?? part}</th>${cells.join("")}</tr>`;
  });
  return `<table><thead><tr><th></th>${head}</tr></thead><tbody>${rows.join("")}</tbody></table>`;
}

/** The parts that are no steps. */
const EXPLAINED: Partial<Record<Part, string>> = {
  generator: "generator <span class='dim'>sent late</span>",
  network: "network <span class='dim'>connection, waiting to be accepted or begun, and reading</span>",
  orchestrator: "orchestrator <span class='dim'>between the steps</span>",
};
