import { describe, expect, test } from "vitest";
import { createSimulatedModel } from "../../src/adapters/language-model/simulated.ts";
import { createSimulatedReranker } from "../../src/adapters/reranker/simulated.ts";
import { batchServer } from "../../src/adapters/simulated/batch-server.ts";
import { sum } from "../../src/statistics.ts";
import { call, collect, sleep, until } from "../support/calls.ts";
import { generateRequest } from "../support/requests.ts";
import { BATCHES, MODEL } from "../support/simulated.ts";

interface Served {
  readonly queueMs: number;
  readonly serviceMs: number;
}

/** A call, and what it was told so far of its times. */
function timed(signal?: AbortSignal) {
  const told: Served[] = [];
  const sumOf = (part: keyof Served) => sum(told.map((one) => one[part]));
  const times = (): Served => ({ queueMs: sumOf("queueMs"), serviceMs: sumOf("serviceMs") });
  return { options: { ...call(signal), onServed: (one: Served) => void told.push(one) }, times };
}

describe("an emulated batch server", () => {
  test("D/D/1: a call takes what is configured, and those behind it wait, by the server's own clock", async () => {
    const serve = batchServer({ ...BATCHES, serviceMs: 20, itemMs: 2, slots: 1 });
    const calls = Array.from({ length: 10 }, () => timed());
    const startedAt = performance.now();
    await Promise.all(calls.map(({ options }) => serve(5, options)));
    const served = calls.map(({ times }) => times());
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(300);
    expect(served.map(({ serviceMs }) => serviceMs)).toEqual(Array(10).fill(30));
    // Late timers do not add up: each begins when the one before it should have ended, whenever that was told.
    const apart = served.slice(1).map(({ queueMs }, n) => queueMs - (served[n]?.queueMs ?? 0));
    expect(apart.sort((a, b) => a - b)[4]).toBeCloseTo(30, 0);
  });

  test("as many run at once as there are slots", async () => {
    const serve = batchServer({ ...BATCHES, serviceMs: 50, slots: 4 });
    const calls = Array.from({ length: 8 }, () => timed());
    await Promise.all(calls.map(({ options }) => serve(1, options)));
    const waited = calls.map(({ times }) => Math.round(times().queueMs / 50));
    expect(waited).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
  });

  test("a full line refuses, and names its limit", async () => {
    const serve = batchServer({ ...BATCHES, serviceMs: 50, slots: 1, queueMax: 1 });
    const running = [serve(1, call()), serve(1, call())];
    await expect(serve(1, call())).rejects.toMatchObject({
      code: "overloaded",
      message: expect.stringContaining("queueMax"),
    });
    await Promise.all(running);
  });

  test("who leaves the line or a slot makes room at once", async () => {
    const serve = batchServer({ ...BATCHES, serviceMs: 10_000, slots: 1 });
    const first = new AbortController();
    const second = new AbortController();
    const left = [serve(1, call(first.signal)), serve(1, call(second.signal))].map((one) => one.catch(String));
    second.abort(new Error("second left"));
    first.abort(new Error("first left"));
    expect(await Promise.all(left)).toEqual(["Error: first left", "Error: second left"]);
    const last = new AbortController();
    const served = serve(1, { ...call(last.signal), onServed: () => undefined });
    await sleep(5);
    last.abort(new Error("left"));
    await expect(served).rejects.toThrow("left");
  });

  test("who leaves the line, or a slot after it, has been told how long it waited", async () => {
    const serve = batchServer({ ...BATCHES, serviceMs: 60, slots: 1 });
    const leaving = new AbortController();
    const [first, second, third] = [timed(), timed(leaving.signal), timed(leaving.signal)];
    const served = [first, second, third].map(({ options }) => serve(1, options).catch(String));
    await sleep(90);
    leaving.abort(new Error("left"));
    expect(second.times()).toEqual({ queueMs: expect.closeTo(60, -1), serviceMs: 0 });
    expect(third.times().queueMs).toBeGreaterThanOrEqual(85);
    expect((await Promise.all(served)).slice(1)).toEqual(["Error: left", "Error: left"]);
  });

  test("share: n calls on one slot take n times as long, and a lone one its own time", async () => {
    const serve = batchServer({ ...BATCHES, serviceMs: 40, slots: 1, whenFull: "share" });
    const msOfCall = async () => {
      const startedAt = performance.now();
      await serve(1, call());
      return performance.now() - startedAt;
    };
    const alone = await msOfCall();
    expect(alone).toBeGreaterThanOrEqual(39);
    const together = await Promise.all(Array.from({ length: 5 }, msOfCall));
    for (const ms of together) expect(ms).toBeGreaterThanOrEqual(198);
  });

  test("share: a shorter call ends before a longer one that came first", async () => {
    const reranker = createSimulatedReranker({ ...BATCHES, serviceMs: 0, itemMs: 10, slots: 1, whenFull: "share" });
    const ended: string[] = [];
    const long = reranker.rerank("휴가", Array(20).fill("글"), call()).then(() => ended.push("long"));
    const short = reranker.rerank("휴가", ["글", "글"], call()).then(() => ended.push("short"));
    await Promise.all([long, short]);
    expect(ended).toEqual(["short", "long"]);
  });

  test("share: who leaves gives its part to the others", async () => {
    const serve = batchServer({ ...BATCHES, serviceMs: 100, slots: 1, whenFull: "share" });
    const leaving = new AbortController();
    const startedAt = performance.now();
    const stays = serve(1, call());
    const leave = Array.from({ length: 9 }, () => serve(1, call(leaving.signal)).catch(String));
    leaving.abort(new Error("left"));
    await stays;
    expect(performance.now() - startedAt).toBeLessThan(900);
    expect(await Promise.all(leave)).toEqual(Array(9).fill("Error: left"));
  });
});

describe("an emulated model server", () => {
  const request = generateRequest("연차 휴가는 며칠인가요?", ["15일의 연차 휴가를 받습니다."]);

  test("first token and pace are those configured, and the words are the passages', cited", async () => {
    const model = createSimulatedModel({ ...MODEL, firstTokenMs: 60, tokenMs: 10, tokens: 12 });
    const served: Served[] = [];
    const deltas = await collect(model.stream(request, { ...call(), onServed: (one) => void served.push(one) }));
    expect(served).toEqual([{ queueMs: 0, serviceMs: expect.closeTo(60 + 11 * 10, 6) }]);
    const text = deltas.map((delta) => (delta.type === "text" ? delta.text : "")).join("");
    expect(text.split(" ")).toHaveLength(12);
    expect(text.startsWith("15일의 연차 휴가를 받습니다. [1] 15일의")).toBe(true);
    expect(deltas.at(-1)).toEqual({ type: "end", finishReason: "stop" });
  });

  test("is cut at what was asked for at most", async () => {
    const model = createSimulatedModel({ ...MODEL, tokens: 100, tokenMs: 0 });
    const deltas = await collect(model.stream({ ...request, maxOutputTokens: 5 }, call()));
    expect(deltas.at(-1)).toEqual({ type: "end", finishReason: "length" });
  });

  test("answers under way slow each other down", async () => {
    const model = createSimulatedModel({ ...MODEL, firstTokenMs: 0, tokenMs: 10, tokens: 11, batchSlowdown: 0.5 });
    const served: Served[] = [];
    const onServed = (one: Served) => void served.push(one);
    await Promise.all(Array.from({ length: 3 }, () => collect(model.stream(request, { ...call(), onServed }))));
    // Ten gaps of 10 ms, each twice as long with three under way.
    for (const { serviceMs } of served.slice(0, 1)) expect(serviceMs).toBeCloseTo(200, 0);
  });

  test("a reader who leaves frees the slot for the next", async () => {
    const model = createSimulatedModel({ ...MODEL, firstTokenMs: 0, tokenMs: 1000, slots: 1 });
    for await (const delta of model.stream(request, call())) {
      expect(delta.type).toBe("text");
      break;
    }
    let began = false;
    const controller = new AbortController();
    const second = (async () => {
      for await (const _ of model.stream(request, call(controller.signal))) began = true;
    })().catch(() => undefined);
    await until("the second answer begins", () => began);
    controller.abort();
    await second;
  });
});
