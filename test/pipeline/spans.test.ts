import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { Run } from "../../src/run.ts";
import type { StepSpan } from "../../src/types.ts";
import { limitedEmbedder } from "../../src/wrap/limited.ts";
import { sleep } from "../support/calls.ts";
import { explained } from "../support/explained.ts";
import { postJson } from "../support/http.ts";
import { addPages, serveRagline } from "../support/ragline.ts";
import { askAll, broken, endOf, errorOf, fakeStages, modelOf, questionOf, saying } from "../support/stages.ts";

describe("an answer's spans explain its time", () => {
  test("where stages are slow, and run side by side", async () => {
    const stages = fakeStages({
      embedder: {
        ...fakeStages().embedder,
        embed: async (texts) => {
          await sleep(20);
          return texts.map(() => new Float32Array([1, 0]));
        },
      },
      reranker: {
        model: "fake",
        rerank: async (_query, texts) => {
          await sleep(15);
          return texts.map((_, index) => ({ index, score: -index }));
        },
      },
      model: modelOf(async function* () {
        for (const text of ["연차는 ", "15일", "입니다 [1]."]) {
          await sleep(10);
          yield { type: "text", text };
        }
        yield { type: "end", finishReason: "stop" };
      }),
    });
    const end = endOf((await askAll(stages)).last);
    expect(explained(end.spans, end.totalMs)).toBeGreaterThanOrEqual(0.98);
    const ran = new Set(end.spans.map(({ step }) => step));
    for (const step of ["session", "embed", "search", "rerank", "prompt", "generate", "save"] as const) {
      expect(ran).toContain(step);
    }
    const starts = end.spans.map(({ startMs }) => startMs);
    expect(starts).toEqual(starts.toSorted((a, b) => a - b));
  });

  test("where all is fast", async () => {
    const stages = fakeStages();
    for (let i = 0; i < 50; i++) {
      const end = endOf((await askAll(stages, questionOf({ sessionId: `s${i}` }))).last);
      expect(explained(end.spans, end.totalMs)).toBeGreaterThanOrEqual(0.98);
    }
  });

  test("where the answer failed", async () => {
    const last = errorOf((await askAll(fakeStages({ model: saying(broken()) }))).last);
    expect(explained(last.spans, last.totalMs)).toBeGreaterThanOrEqual(0.98);
  });

  test("over HTTP, embedded stages, cached and not", async () => {
    const served = await serveRagline();
    await addPages(served.ragline);
    for (let i = 0; i < 60; i++) {
      const response = await postJson(`${served.url}/v1/ask`, { question: `연차 휴가는 며칠인가요? ${i % 30}` });
      const end = JSON.parse((await response.text()).split("data: ").at(-1) ?? "");
      expect(explained(end.spans, end.totalMs), JSON.stringify(end.spans)).toBeGreaterThanOrEqual(0.98);
    }
    await served.close();
  });

  test("timings are the spans' sums, by step", async () => {
    const { spans, timings } = endOf((await askAll(fakeStages())).last);
    for (const [step, ms] of Object.entries(timings)) {
      const sum = spans.filter((span) => span.step === step).reduce((total, span) => total + span.ms, 0);
      expect(sum).toBeCloseTo(ms, 2);
    }
  });
});

test("a reader who is slow to take the sources is told apart from the steps", async () => {
  const served = await serveRagline();
  await addPages(served.ragline);
  let spans: readonly StepSpan[] = [];
  for await (const event of served.ragline.ask({ question: "연차 휴가는 며칠인가요?" })) {
    if (event.type === "source-list") await sleep(60);
    if (event.type === "answer-end") spans = event.spans;
  }
  expect(Math.max(...spans.filter(({ step }) => step === "reader").map(({ ms }) => ms))).toBeGreaterThan(55);
  await served.close();
});

test("a step says how long it waited for its turn", async () => {
  const { embedder } = fakeStages();
  const slow = {
    ...embedder,
    embed: (texts: readonly string[]) =>
      wait(
        40,
        texts.map(() => new Float32Array([1, 0])),
      ),
  };
  const stages = fakeStages({ embedder: limitedEmbedder(slow, { concurrencyMax: 1, queueMax: 5 }) });
  const both = await Promise.all(["a", "b"].map((sessionId) => askAll(stages, questionOf({ sessionId }))));
  const waits = both
    .map(({ last }) => endOf(last).spans.find(({ step }) => step === "embed")?.queueMs ?? 0)
    .toSorted((a, b) => a - b);
  expect(waits[0]).toBe(0);
  expect(waits[1]).toBeGreaterThan(20);
});

test("what a call was served in is told apart from the way there", async () => {
  const run = new Run({ signal: new AbortController().signal, timeoutMs: 1000, limitsMs: {} });
  await run.must("rerank", async (call) => {
    await sleep(30);
    call.onServed?.({ queueMs: 4, serviceMs: 10 });
  });
  await run.must("embed", () => sleep(1));
  const [first, second] = run.timeline.spans;
  expect(first).toMatchObject({ step: "rerank", queueMs: 4, serviceMs: 10 });
  expect(first?.networkMs).toBeCloseTo((first?.ms ?? 0) - 14, 2);
  expect(Object.keys(second ?? {})).toEqual(["step", "startMs", "ms"]);
});
