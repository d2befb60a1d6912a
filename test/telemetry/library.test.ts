import { afterAll, beforeAll, expect, test } from "vitest";
import type { Ragline } from "../../src/ragline.ts";
import { addPages, openRagline } from "../support/ragline.ts";
import { sampleOf, samplesOf } from "../support/scrape.ts";

let opened: Awaited<ReturnType<typeof openRagline>>;
let ragline: Ragline;
beforeAll(async () => {
  opened = await openRagline();
  ragline = opened.ragline;
  await addPages(ragline);
});
afterAll(() => opened.close());

/** What is counted while a question is asked. */
async function counted(ask: () => Promise<unknown>) {
  const read = async () => samplesOf(await ragline.telemetry.metrics.text());
  const before = await read();
  await ask();
  const after = await read();
  const gained = (name: string, labels = {}) => sampleOf(after, name, labels) - sampleOf(before, name, labels);
  return {
    answers: gained("ragline_requests_total", { route: "library" }),
    steps: gained("ragline_step_duration_seconds_count", { step: "generate" }),
    underWay: sampleOf(after, "ragline_active_streams"),
  };
}

test.each([
  [
    "to its end",
    async () => {
      for await (const _event of ragline.ask({ question: "연차 휴가는 며칠인가요?", cache: false }));
    },
  ],
  [
    "up to its last event",
    async () => {
      for await (const { type } of ragline.ask({ question: "연차 휴가는 며칠인가요?", cache: false })) {
        if (type === "answer-end") break;
      }
    },
  ],
  ["whole", () => ragline.answer({ question: "연차 휴가는 며칠인가요?", cache: false })],
])("in library use an answer that is read %s counts once, and is then under way no more", async (_how, ask) => {
  expect(await counted(ask)).toEqual({ answers: 1, steps: 1, underWay: 0 });
});
