import { expect, test } from "vitest";
import { waterfall } from "../../src/cli/waterfall.ts";
import type { StepSpan } from "../../src/types.ts";

const SPANS: readonly StepSpan[] = [
  { step: "session", startMs: 0, ms: 10 },
  { step: "reader", startMs: 10, ms: 0.01 },
  { step: "embed", startMs: 10, ms: 40, queueMs: 10, serviceMs: 20, networkMs: 10 },
  { step: "generate", startMs: 50, ms: 50, queueMs: 25 },
];
const CALLS = { embed: { calls: 1, inputTokens: 8, outputTokens: 0, ms: 30 } };
const plain = (columns: number) => waterfall(SPANS, 100, CALLS, { columns, paint: (_, text) => text });

test("bars stand where their steps ran, in proportion, parted into queue, service and network", () => {
  expect(plain(64)).toEqual([
    "session   ▇▇▇▇                                          10.00 ms",
    "embed         ░░░░████████▒▒▒▒                          40.00 ms",
    "          queue 10.00, service 20.00, network 10.00, 1 call, 8 + 0 tokens",
    "generate                      ░░░░░░░░░░▇▇▇▇▇▇▇▇▇▇      50.00 ms",
    "          queue 25.00",
  ]);
});

test("a step that ran twice is one row: a bar wherever it ran, its times together", () => {
  const spans: readonly StepSpan[] = [
    { step: "prompt", startMs: 0, ms: 20, queueMs: 5 },
    { step: "rerank", startMs: 0, ms: 50 },
    { step: "prompt", startMs: 50, ms: 25 },
    { step: "save", startMs: 75, ms: 25 },
  ];
  expect(waterfall(spans, 100, {}, { columns: 64, paint: (_, text) => text })).toEqual([
    "prompt    ░░▇▇▇▇▇▇            ▇▇▇▇▇▇▇▇▇▇                45.00 ms",
    "          queue 5.00",
    "rerank    ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇                          50.00 ms",
    "save                                    ▇▇▇▇▇▇▇▇▇▇      25.00 ms",
  ]);
});

test("no row is wider than the terminal, whatever its width; a narrow one gets no bars", () => {
  for (let columns = 24; columns < 200; columns++) {
    const rows = plain(columns).filter((line) => line.endsWith(" ms"));
    expect(Math.max(...rows.map((row) => row.length))).toBeLessThanOrEqual(columns);
    for (const row of rows) expect(row.includes("▇") || row.includes("░")).toBe(columns >= 34);
  }
});

test("colours come from whoever paints", () => {
  const painted = waterfall(SPANS, 100, {}, { columns: 64, paint: (style, text) => `<${style}>${text}</>` });
  expect(painted[1]).toContain("<yellow>░░░░</><green>████████</><blue>▒▒▒▒</>");
});

test("an answer that took no time is drawn too", () => {
  expect(
    waterfall([{ step: "save", startMs: 0, ms: 0 }], 0, {}, { columns: 40, paint: (_, text) => text }),
  ).toHaveLength(1);
});
