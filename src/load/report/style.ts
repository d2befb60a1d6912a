/** Colours by step hold in every chart; the second set is for dark pages. Lines and text keep 4.5:1 against their ground. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f7f7f5; --card: #ffffff; --ink: #1d2129; --dim: #646b78; --rule: #e3e4e0; --grid: #ececea;
  --accent: #2563c9; --second: #c2570c; --bad: #c9282d; --warn-ground: #fff4e0; --warn-ink: #7a4a00;
  --session: #8a6d3b; --rewrite: #d6618f; --cache: #7a8b1f; --embed: #2f7de1; --search: #139a74; --rerank: #e39a0b;
  --prompt: #0e9aa7; --generate: #7656d6; --save: #a0522d; --orchestrator: #475569; --network: #94a3b8; --generator: #cbd5e1;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #101216; --card: #181b21; --ink: #e9ebef; --dim: #9aa3b2; --rule: #2b303a; --grid: #242932;
    --accent: #77a9ff; --second: #f59e5c; --bad: #ff7a7a; --warn-ground: #33270f; --warn-ink: #ffd48a;
    --session: #b79b6a; --rewrite: #ee86ae; --cache: #a9bd45; --embed: #5b9dff; --search: #37c79c; --rerank: #f2b63c;
    --prompt: #3cc3cf; --generate: #a48bfa; --save: #cd7f5a; --orchestrator: #8391a7; --network: #5b6779; --generator: #3d4656;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Noto Sans KR", sans-serif; font-variant-numeric: tabular-nums; }
main { max-width: 1040px; margin: 0 auto; padding: 36px 20px 64px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; }
h2 { font-size: 16px; margin: 0 0 2px; }
p { margin: 0; } .lead { color: var(--dim); } .lead b { color: var(--ink); font-weight: 600; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 12px; padding: 18px 20px; margin-top: 16px; }
.card > p { color: var(--dim); font-size: 13.5px; margin-bottom: 12px; }
.tiles { display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; margin-top: 22px; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 12px; padding: 14px 16px; }
@media (max-width: 640px) { .tiles { grid-template-columns: repeat(2, 1fr); } }
.tile span { color: var(--dim); font-size: 13px; display: block; }
.tile strong { font-size: 25px; line-height: 1.25; letter-spacing: -0.02em; font-weight: 650; display: block; }
.tile.bad strong { color: var(--bad); }
.note-box { border-radius: 10px; padding: 10px 14px; margin-top: 16px; background: var(--warn-ground); color: var(--warn-ink); font-size: 14px; }
.note-box b { font-weight: 650; }
svg { width: 100%; height: auto; display: block; font-size: 12px; overflow: visible; }
svg text { fill: var(--dim); paint-order: stroke; stroke: var(--card); stroke-width: 3px; } svg .middle { text-anchor: middle; } svg .end-anchor { text-anchor: end; }
.grid { stroke: var(--grid); } .axis, .tick { stroke: var(--rule); fill: none; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.dots circle { fill: var(--accent); fill-opacity: 0.45; } .dots circle:hover { fill-opacity: 1; }
.line.p50, .ttft .line { stroke: var(--accent); } .line.p95, .whole .line { stroke: var(--second); }
svg .end { font-weight: 600; } svg .p50 { fill: var(--accent); } svg .p95 { fill: var(--second); } svg path.p50, svg path.p95 { fill: none; }
.ttft .mark { fill: var(--accent); } .whole .mark { fill: var(--second); } .mark { stroke: var(--card); stroke-width: 1.5; }
.line.under-way { stroke: var(--dim); stroke-width: 1.5; } .area { fill: var(--dim); fill-opacity: 0.14; }
.objective { stroke: var(--dim); stroke-dasharray: 5 4; fill: none; } .failure { stroke: var(--bad); stroke-width: 2; }
svg .on-colour { fill: #fff; font-weight: 600; stroke: rgb(0 0 0 / 0.35); stroke-width: 2px; }
svg .bar-name { fill: var(--ink); font-size: 13px; font-weight: 600; }
.key { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 8px; vertical-align: -1px; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13.5px; color: var(--dim); margin-bottom: 6px; }
.swatch-ttft { background: var(--accent); } .swatch-whole { background: var(--second); } .swatch-bad { background: var(--bad); }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; margin-top: 10px; }
th, td { text-align: right; padding: 5px 8px; border-bottom: 1px solid var(--rule); font-weight: 400; white-space: nowrap; }
th:first-child { text-align: left; white-space: normal; } thead th { color: var(--dim); } tbody tr:last-child > * { border-bottom: 0; }
.dim { color: var(--dim); } .scroll { overflow-x: auto; } footer { color: var(--dim); font-size: 13px; margin-top: 24px; }
`;

/** Fill and background of each part. */
export function partColours(parts: readonly string[]): string {
  return parts.map((part) => `.part.${part}{fill:var(--${part})}.key.${part}{background:var(--${part})}`).join("\n");
}
