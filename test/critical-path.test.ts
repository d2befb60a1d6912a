import fc from "fast-check";
import { expect, test } from "vitest";
import { criticalPath } from "../src/critical-path.ts";
import type { StepSpan } from "../src/types.ts";

const span = (step: StepSpan["step"], startMs: number, endMs: number): StepSpan => ({
  step,
  startMs,
  ms: endMs - startMs,
});
const path = (spans: readonly StepSpan[], untilMs: number) => Object.fromEntries(criticalPath(spans, untilMs));

test("steps one after another: each its own time, the model's up to the first text", () => {
  const spans = [span("session", 0, 10), span("search", 10, 40), span("generate", 40, 900)];
  expect(path(spans, 240)).toEqual({ session: 10, search: 30, generate: 200 });
});

test("of steps beside each other those are waited for that end last", () => {
  const before = span("session", 0, 10);
  const ahead = [span("embed", 10, 210), span("search", 210, 240)];
  const generate = span("generate", 300, 900);
  expect(path([before, ...ahead, span("rewrite", 10, 300), generate], 400)).toEqual({
    session: 10,
    rewrite: 290,
    generate: 100,
  });
  expect(path([before, ...ahead, span("rewrite", 10, 220), { ...generate, startMs: 240 }], 400)).toEqual({
    session: 10,
    embed: 200,
    search: 30,
    generate: 160,
  });
});

test("a stream that runs on while something is waited for is not what is waited for", () => {
  const spans = [span("generate", 0, 900), span("save", 100, 400)];
  expect(path(spans, 400.02)).toEqual({ generate: 100, save: 300 });
});

test("whatever the spans: never more than the time that there was, and all of it where something always ran", () => {
  const spans = fc.array(
    fc.record({
      step: fc.constantFrom("embed", "search", "rerank", "reader"),
      startMs: fc.integer({ min: 0, max: 1000 }),
      ms: fc.integer({ min: 0, max: 500 }),
    }),
  );
  fc.assert(
    fc.property(spans, fc.integer({ min: 1, max: 1500 }), (some, untilMs) => {
      const waited = (all: readonly StepSpan[]) => [...criticalPath(all, untilMs).values()].reduce((a, b) => a + b, 0);
      expect(waited(some)).toBeLessThanOrEqual(untilMs);
      expect(waited([...some, span("session", 0, 1500)])).toBeCloseTo(untilMs, 6);
    }),
  );
});
