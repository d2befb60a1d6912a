import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RaglineError } from "../src/errors.ts";
import { Permits } from "../src/permits.ts";
import { call, sleep } from "./support/calls.ts";

const never = new AbortController().signal;

describe("permits", () => {
  test("so many at once, so many wait, a further one is refused at once", async () => {
    const permits = new Permits({ concurrencyMax: 2, queueMax: 1 });
    const done = await permits.take(call());
    await permits.take(call());
    const waiting = permits.take(call());
    const refused = permits.take(call());
    await expect(refused).rejects.toMatchObject({
      code: "overloaded",
      message: "2 calls are under way and 1 wait; try again later.",
    });
    done();
    await waiting;
    expect([permits.running, permits.waiting]).toEqual([2, 0]);
  });

  test("readers go before background work, each in the order they came", async () => {
    const permits = new Permits({ concurrencyMax: 1, queueMax: 10 });
    const order: string[] = [];
    const first = await permits.take(call());
    const later = ["b1", "q1", "b2", "q2"].map(async (name) => {
      const done = await permits.take(call(), name.startsWith("b"));
      order.push(name);
      done();
    });
    first();
    await Promise.all(later);
    expect(order).toEqual(["q1", "q2", "b1", "b2"]);
  });

  test("who leaves the queue takes no permit and gives its place free", async () => {
    const permits = new Permits({ concurrencyMax: 1, queueMax: 1 });
    const done = await permits.take(call());
    const controller = new AbortController();
    const leaving = permits.take(call(controller.signal));
    controller.abort(new RaglineError("cancelled", "left"));
    await expect(leaving).rejects.toMatchObject({ code: "cancelled" });
    const waiting = permits.take(call());
    done();
    (await waiting)();
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
            const done = await permits.take(call(signal), fails);
            most = Math.max(most, permits.running);
            expect(permits.waiting).toBeLessThanOrEqual(queueMax);
            try {
              await sleep(ms);
              if (fails) throw new Error("x");
            } finally {
              done();
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
    const done = await permits.take(call());
    const controller = new AbortController();
    const leaving = permits.take(call(controller.signal)).then(
      (free) => free(),
      () => undefined,
    );
    done();
    controller.abort(new Error("left"));
    await leaving;
    (await permits.take(call()))();
  });
});
