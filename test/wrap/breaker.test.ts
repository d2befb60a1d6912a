import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Breaker } from "../../src/wrap/breaker.ts";

const OPTIONS = { failureRatio: 0.5, slowRatio: 0.8, slowMs: 100, windowMs: 1000, callsMin: 4, openMs: 500 };
const GOOD = { failed: false, slow: false };
const FAILED = { failed: true, slow: false };
const SLOW = { failed: false, slow: true };

/** Lets a call through, which ends so. */
function call(breaker: Breaker, outcome: Parameters<Breaker["end"]>[1], now: number): void {
  breaker.end(breaker.begin(), outcome, now);
}

function opened(at = 0): Breaker {
  const breaker = new Breaker(OPTIONS);
  for (let i = 0; i < 4; i++) call(breaker, FAILED, at);
  return breaker;
}

describe("a circuit breaker", () => {
  test("opens once half of the calls fail, not before enough were made", () => {
    const breaker = new Breaker(OPTIONS);
    for (const outcome of [FAILED, GOOD, FAILED]) call(breaker, outcome, 10);
    expect([breaker.state(10), breaker.admits(10), breaker.waitMs(10)]).toEqual(["closed", true, 0]);
    call(breaker, FAILED, 10);
    expect([breaker.state(10), breaker.admits(10), breaker.waitMs(110)]).toEqual(["open", false, 400]);
  });

  test("opens on slow calls too, at a rate of their own", () => {
    const breaker = new Breaker(OPTIONS);
    for (const outcome of [SLOW, SLOW, GOOD, SLOW]) call(breaker, outcome, 10);
    expect(breaker.state(10)).toBe("closed");
    call(breaker, SLOW, 10);
    expect(breaker.state(10)).toBe("open");
  });

  test("forgets what is older than its window", () => {
    const breaker = new Breaker(OPTIONS);
    for (let i = 0; i < 3; i++) call(breaker, FAILED, 0);
    for (let i = 0; i < 3; i++) call(breaker, GOOD, 1050);
    call(breaker, FAILED, 1060);
    expect(breaker.state(1060)).toBe("closed");
  });

  test("lets one call at a time through after a while, and closes after two good ones", () => {
    const breaker = opened();
    expect([breaker.admits(499), breaker.admits(500), breaker.state(500)]).toEqual([false, true, "half-open"]);
    const first = breaker.begin();
    expect([first, breaker.admits(501)]).toEqual([true, false]);
    breaker.end(first, GOOD, 510);
    expect([breaker.state(510), breaker.admits(510)]).toEqual(["half-open", true]);
    call(breaker, GOOD, 520);
    expect(breaker.state(520)).toBe("closed");
    // What opened it is forgotten.
    call(breaker, FAILED, 521);
    expect(breaker.state(521)).toBe("closed");
  });

  test.each([
    ["fails", FAILED],
    ["is slow", SLOW],
  ])("opens again where a probe %s", (_, outcome) => {
    const breaker = opened();
    call(breaker, GOOD, 600);
    call(breaker, outcome, 700);
    expect([breaker.state(1199), breaker.admits(1199), breaker.admits(1200)]).toEqual(["open", false, true]);
    call(breaker, GOOD, 1200);
    expect(breaker.state(1200)).toBe("half-open");
  });

  test("a probe whose caller leaves says nothing, and gives its place free", () => {
    const breaker = opened();
    const probe = breaker.begin();
    breaker.end(probe, null, 600);
    expect([breaker.state(600), breaker.admits(600)]).toEqual(["half-open", true]);
  });

  test("what began before it opened says nothing afterwards", () => {
    const breaker = opened();
    breaker.end(false, FAILED, 400);
    expect(breaker.admits(500)).toBe(true);
    breaker.end(false, GOOD, 500);
    breaker.end(false, GOOD, 500);
    expect(breaker.state(500)).toBe("half-open");
  });

  test("counts as a list of all calls would", () => {
    const events = fc.array(
      fc.record({ after: fc.nat(400), failed: fc.boolean(), slow: fc.boolean(), leaves: fc.boolean() }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(events, (all) => {
        const breaker = new Breaker(OPTIONS);
        let calls: { bucket: number; failed: boolean; slow: boolean }[] = [];
        let now = 0;
        for (const { after, failed, slow, leaves } of all) {
          now += after;
          call(breaker, leaves ? null : { failed, slow }, now);
          if (leaves) continue;
          const bucket = Math.floor(now / 100);
          calls = [...calls.filter((one) => bucket - one.bucket < 10), { bucket, failed, slow }];
          const share = (kind: "failed" | "slow") => calls.filter((one) => one[kind]).length / calls.length;
          const opens = (failed || slow) && calls.length >= 4 && (share("failed") >= 0.5 || share("slow") >= 0.8);
          expect(breaker.state(now)).toBe(opens ? "open" : "closed");
          if (opens) return;
        }
      }),
    );
  });
});
