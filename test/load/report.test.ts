import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { reportPage } from "../../src/load/report/page.ts";
import { linear, logarithmic } from "../../src/load/report/scale.ts";
import { summarize } from "../../src/load/summary.ts";
import { CONTEXT, drivenRun, sample } from "../support/load.ts";

const page = (samples: Parameters<typeof drivenRun>[0], context = CONTEXT) => {
  const run = drivenRun(samples);
  return reportPage(run, summarize(run, context), context);
};

describe("the report", () => {
  test("needs nothing but itself: no script, no address but the target's", () => {
    const html = page([sample(0), sample(500), sample(900)]);
    expect(html).not.toMatch(/<script|<link|@import|url\(|src=/);
    expect(new Set(html.match(/https?:\/\/[^\s"<]+/g))).toEqual(new Set([CONTEXT.url]));
    expect(html.match(/<svg /g)).toHaveLength(4);
    expect(html).toContain("prefers-color-scheme: dark");
  });

  test("emulated stages are named as such", () => {
    expect(page([sample(0)], { ...CONTEXT, emulated: ["rerank"] })).toMatch(/Emulated stages.*rerank.*not measured/);
    expect(page([sample(0)])).not.toContain("Emulated stages");
  });

  test("what others wrote is text", () => {
    const hostile = '"><script>alert(1)</script>';
    const html = page([sample(0), sample(1, { failure: hostile, end: null, firstTextAt: null })], {
      ...CONTEXT,
      url: `http://x/${hostile}`,
      questions: hostile,
    });
    expect(html).not.toContain("<script>");
    expect(html).toContain("&lt;script&gt;");
  });

  test("a run in which nothing was answered is drawn too", () => {
    const html = page([sample(0, { failure: "connection_failed", end: null, firstTextAt: null })]);
    expect(html).toContain("connection_failed");
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("whatever the times: every coordinate is a number", () => {
    const samples = fc.array(
      fc.record({ due: fc.nat(10_000), ttft: fc.nat(100_000), rest: fc.nat(100_000), fails: fc.boolean() }),
      { minLength: 1, maxLength: 80 },
    );
    fc.assert(
      fc.property(samples, (all) => {
        const html = page(
          all.map(({ due, ttft, rest, fails }) =>
            fails
              ? sample(due, { failure: "cut", end: null })
              : sample(due, { sentAt: due, firstTextAt: due + ttft, endedAt: due + ttft + rest }),
          ),
        );
        expect(html).not.toMatch(/NaN|undefined|Infinity/);
      }),
      { numRuns: 60 },
    );
  });

  test("marks lie within their axis, in order, and the axis keeps order", () => {
    const positive = fc.double({ min: 0.1, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(positive, positive, (a, b) => {
        const domain = { from: Math.min(a, b), to: Math.max(a, b) * 1.01 };
        for (const scale of [linear(domain, { from: 0, to: 100 }, 5), logarithmic(domain, { from: 0, to: 100 })]) {
          for (const tick of scale.ticks) {
            expect(scale(tick)).toBeGreaterThan(-1e-6);
            expect(scale(tick)).toBeLessThan(100 + 1e-6);
          }
          expect(scale.ticks).toEqual(scale.ticks.toSorted((x, y) => x - y));
          expect(scale.ticks.length).toBeLessThan(25);
          expect(scale(domain.to)).toBeGreaterThan(scale(domain.from));
        }
      }),
    );
  });
});
