import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RaglineError } from "../src/errors.ts";
import { Permits } from "../src/permits.ts";
import { call, sleep } from "./support/calls.ts";

const never = new AbortController().signal;

describe("permits", () => {
  test("so many at once, so many wait, a further one is refused at once", async () => {
    const permits = new Permits({ concurrencyMax: 2, queueMax: 1 });
    const { free } = await permits.take(call());
    await permits.take(call());
    const waiting = permits.take(call());
    const refused = permits.take(call());
    await expect(refused).rejects.toMatchObject({
      code: "overloaded",
      message: "2 calls are under way and 1 wait; try again later.",
      retryAfterMs: 1000,
    });
    free();
    await waiting;
    expect([permits.running, permits.waiting]).toEqual([2, 0]);
  });

  describe("with calls that usually take 100 ms", () => {
    /** All of them are taken. */
    async function busy(concurrencyMax: number, queueMax: number): Promise<Permits> {
      const permits = new Permits({ concurrencyMax, queueMax });
      for (let i = 0; i < 20; i++) {
        const { startedAt, free } = await permits.take(call());
        free(startedAt + 100);
      }
      for (let i = 0; i < concurrencyMax; i++) await permits.take(call());
      return permits;
    }
    const within = (ms: number) => ({ ...call(), deadline: performance.now() + ms });
    const wait = (permits: Permits, calls: number, isBackground = false) => {
      for (let i = 0; i < calls; i++) void permits.take(call(), isBackground);
    };

    test("whose turn would come too late for its deadline is refused at once, and told when the line is served", async () => {
      const permits = await busy(2, 100);
      wait(permits, 60);
      await expect(permits.take(within(2000))).rejects.toMatchObject({
        code: "overloaded",
        message: expect.stringMatching(
          /^60 calls wait before this one, which takes about 3000 ms, and (19\d\d|2000) ms are left for it; try again later\.$/,
        ),
        retryAfterMs: 3000,
      });
      void permits.take(within(5000));
      expect(permits.waiting).toBe(61);
    });

    test("readers are judged by the readers before them, background work by all", async () => {
      const permits = await busy(1, 100);
      wait(permits, 50, true);
      void permits.take(within(1000));
      expect(permits.waiting).toBe(51);
      await expect(permits.take(within(1000), true)).rejects.toMatchObject({ code: "overloaded" });
    });

    test("a full line says when it is served, a minute at most", async () => {
      const permits = await busy(1, 30);
      wait(permits, 30);
      await expect(permits.take(call())).rejects.toMatchObject({ code: "overloaded", retryAfterMs: 3000 });
      const long = await busy(1, 700);
      wait(long, 700);
      await expect(long.take(call())).rejects.toMatchObject({ code: "overloaded", retryAfterMs: 60_000 });
    });
  });

  test("readers go before background work, each in the order they came", async () => {
    const permits = new Permits({ concurrencyMax: 1, queueMax: 10 });
    const order: string[] = [];
    const first = await permits.take(call());
    const later = ["b1", "q1", "b2", "q2"].map(async (name) => {
      const { free } = await permits.take(call(), name.startsWith("b"));
      order.push(name);
      free();
    });
    first.free();
    await Promise.all(later);
    expect(order).toEqual(["q1", "q2", "b1", "b2"]);
  });

  test("who leaves the queue takes no permit and gives its place free", async () => {
    const permits = new Permits({ concurrencyMax: 1, queueMax: 1 });
    const { free } = await permits.take(call());
    const controller = new AbortController();
    const leaving = permits.take(call(controller.signal));
    controller.abort(new RaglineError("cancelled", "left"));
    await expect(leaving).rejects.toMatchObject({ code: "cancelled" });
    const waiting = permits.take(call());
    free();
    (await waiting).free();
    expect([permits.running, permits.waiting]).toEqual([0, 0]);
  });

  test("whatever comes, leaves and fails: the limits hold, and in the end all permits are back", async () => {
    const plans = fc.array(fc.record({ ms: fc.nat(3), leaveAfterMs: fc.option(fc.nat(3)), fails: fc.boolean() }), {
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(plans, fc.integer({ min: 1, max: 4 }), fc.nat(6), async (all, concurrencyMax, queueMax) => {
        const permits = new Permits({ concurrencyMax, queueMax });
        let most = 0;
        await Promise.allSettled(
          all.map(async ({ ms, leaveAfterMs, fails }) => {
            const signal = leaveAfterMs === null ? never : AbortSignal.timeout(leaveAfterMs);
            const { free } = await permits.take(call(signal), fails);
            most = Math.max(most, permits.running);
            expect(permits.waiting).toBeLessThanOrEqual(queueMax);
            try {
              await sleep(ms);
              if (fails) throw new Error("x");
            } finally {
              free();
            }
          }),
        );
        expect(most).toBeLessThanOrEqual(concurrencyMax);
        expect([permits.running, permits.waiting]).toEqual([0, 0]);
      }),
      { numRuns: 30 },
    );
  });

  test("who leaves in the very moment that a permit comes free gives it on", async () => {
    const permits = new Permits({ concurrencyMax: 1, queueMax: 2 });
    const { free } = await permits.take(call());
    const controller = new AbortController();
    const leaving = permits.take(call(controller.signal)).then(
      (permit) => permit.free(),
      () => undefined,
    );
    free();
    controller.abort(new Error("left"));
    await leaving;
    (await permits.take(call())).free();
  });
});
