import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { RaglineError } from "../../src/errors.ts";
import type { GenerateDelta } from "../../src/ports/language-model.ts";
import { limitedEmbedder, limitedModel, limitedReranker, Turns } from "../../src/wrap/limited.ts";
import { call, collect, sleep } from "../support/calls.ts";
import { generateRequest } from "../support/requests.ts";
import { modelOf } from "../support/stages.ts";

const REQUEST = generateRequest("연차", []);
const never = new AbortController().signal;

describe("turns", () => {
  test("so many at once, so many wait, a further one is refused at once", async () => {
    const turns = new Turns({ concurrencyMax: 2, queueMax: 1 });
    const done = await turns.take(call());
    await turns.take(call());
    const waiting = turns.take(call());
    const refused = turns.take(call());
    await expect(refused).rejects.toMatchObject({ code: "overloaded", message: "2 calls are under way and 1 wait." });
    done();
    await waiting;
    expect([turns.running, turns.waiting]).toEqual([2, 0]);
  });

  test("readers go before background work, each in the order they came", async () => {
    const turns = new Turns({ concurrencyMax: 1, queueMax: 10 });
    const order: string[] = [];
    const first = await turns.take(call());
    const later = ["b1", "q1", "b2", "q2"].map(async (name) => {
      const done = await turns.take(call(), name.startsWith("b"));
      order.push(name);
      done();
    });
    first();
    await Promise.all(later);
    expect(order).toEqual(["q1", "q2", "b1", "b2"]);
  });

  test("who leaves the queue takes no turn and gives its place free", async () => {
    const turns = new Turns({ concurrencyMax: 1, queueMax: 1 });
    const done = await turns.take(call());
    const controller = new AbortController();
    const leaving = turns.take(call(controller.signal));
    controller.abort(new RaglineError("cancelled", "left"));
    await expect(leaving).rejects.toMatchObject({ code: "cancelled" });
    const waiting = turns.take(call());
    done();
    (await waiting)();
    expect([turns.running, turns.waiting]).toEqual([0, 0]);
  });

  test("whatever comes, leaves and fails: the limits hold, and in the end all turns are back", async () => {
    const plans = fc.array(fc.record({ ms: fc.nat(3), leaveAfterMs: fc.option(fc.nat(3)), fails: fc.boolean() }), {
      maxLength: 40,
    });
    await fc.assert(
      fc.asyncProperty(plans, fc.integer({ min: 1, max: 4 }), fc.nat(6), async (all, concurrencyMax, queueMax) => {
        const turns = new Turns({ concurrencyMax, queueMax });
        let most = 0;
        await Promise.allSettled(
          all.map(async ({ ms, leaveAfterMs, fails }) => {
            const signal = leaveAfterMs === null ? never : AbortSignal.timeout(leaveAfterMs);
            const done = await turns.take(call(signal), fails);
            most = Math.max(most, turns.running);
            expect(turns.waiting).toBeLessThanOrEqual(queueMax);
            try {
              await sleep(ms);
              if (fails) throw new Error("x");
            } finally {
              done();
            }
          }),
        );
        expect(most).toBeLessThanOrEqual(concurrencyMax);
        expect([turns.running, turns.waiting]).toEqual([0, 0]);
      }),
      { numRuns: 30 },
    );
  });
});

describe("ports", () => {
  const limits = { concurrencyMax: 1, queueMax: 0 };
  const works = { first: true, second: true };

  test("an embedder's and a reranker's turn ends with the call, also with one that fails", async () => {
    let fails = true;
    const act = async <T>(value: T) => {
      if (fails) throw new Error("x");
      return value;
    };
    const embedder = limitedEmbedder({ model: "m", dimensions: 1, embed: () => act([new Float32Array(1)]) }, limits);
    const reranker = limitedReranker({ model: "m", rerank: () => act([{ index: 0, score: 1 }]) }, limits);
    await expect(embedder.embed(["a"], "query", call())).rejects.toThrow("x");
    await expect(reranker.rerank("q", ["a"], call())).rejects.toThrow("x");
    fails = false;
    expect(await embedder.embed(["a"], "query", call())).toHaveLength(1);
    expect(await reranker.rerank("q", ["a"], call())).toHaveLength(1);
    expect(works.first && works.second).toBe(true);
  });

  const two = modelOf(async function* (): AsyncGenerator<GenerateDelta> {
    yield { type: "text", text: "네" };
    yield { type: "end", finishReason: "stop" };
  });

  test("a stream's turn lasts to its end, or until its reader stops", async () => {
    const model = limitedModel(two, limits);
    const first = model.stream(REQUEST, call())[Symbol.asyncIterator]();
    await first.next();
    await expect(collect(model.stream(REQUEST, call()))).rejects.toMatchObject({ code: "overloaded" });
    await first.return?.();
    expect(await collect(model.stream(REQUEST, call()))).toHaveLength(2);
    for await (const _ of model.stream(REQUEST, call())) break;
    expect(await collect(model.stream(REQUEST, call()))).toHaveLength(2);
  });

  test("a reader who stops while the stream waits for its turn leaves none taken", async () => {
    const model = limitedModel(two, { concurrencyMax: 1, queueMax: 1 });
    const first = model.stream(REQUEST, call())[Symbol.asyncIterator]();
    await first.next();
    const second = model.stream(REQUEST, call())[Symbol.asyncIterator]();
    const pending = second.next();
    await second.return?.();
    await first.return?.();
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(await collect(model.stream(REQUEST, call()))).toHaveLength(2);
  });
});
