import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { readEmbedder } from "../../src/adapters/onnx/model-files.ts";
import { ModelProcess } from "../../src/adapters/onnx/model-process.ts";
import { sleep, until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { writeEmbedder } from "../support/onnx/models.ts";

const folder = temporaryFolder();
const { signal } = new AbortController();

beforeAll(() => {
  writeEmbedder(folder.file("tiny"));
});
afterAll(() => folder.remove());

function opened({ batchTimeoutMs = 20_000, maxTokens = 64, model = "tiny" } = {}): ModelProcess {
  const path = folder.file(model);
  const process = new ModelProcess(readEmbedder(path, model, { threads: 1, maxTokens }), {
    name: model,
    batchTimeoutMs,
  });
  onTestFinished(() => process.close());
  return process;
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe("a model in a process of its own", () => {
  test("loads once, answers in order, counts tokens and what it cut", async () => {
    const model = opened();
    expect(model.problem()).toBeNull();
    const starting = model.start(signal);
    expect(model.problem()).toMatch(/being loaded/);
    await starting;
    expect(model.problem()).toBeNull();
    const outputs = await Promise.all(["a", "b c", "x ".repeat(500)].map((text) => model.run([text], signal)));
    expect(outputs.map(({ tokens }) => tokens)).toEqual([3, 4, 64]);
    expect(outputs.every(({ values }) => values instanceof Float32Array && values.length === 32)).toBe(true);
    expect(model.counts()).toEqual({ batches: 3, inputs: 3, tokens: 71, cut: 1, starts: 1 });
  });

  test("killed: calls in flight fail, worth another try; the next call starts another", async () => {
    const model = opened();
    await model.start(signal);
    const { pid = 0 } = model;
    const running = Array.from({ length: 4 }, () =>
      model.run(["a ".repeat(30)], signal).catch((error: unknown) => error),
    );
    process.kill(pid, "SIGKILL");
    for (const error of await Promise.all(running)) {
      expect(error).toMatchObject({ code: "dependency_failed", retryable: true });
      // It said nothing.
      expect((error as Error).cause).toBeUndefined();
    }
    expect((await model.run(["a"], signal)).tokens).toBe(3);
    expect(model.pid).not.toBe(pid);
    expect(model.counts().starts).toBe(2);
  });

  test("a process that keeps ending is started again ever more rarely; meanwhile calls fail at once", async () => {
    const model = opened();
    const kill = async () => {
      await model.start(signal);
      process.kill(model.pid ?? 0, "SIGKILL");
      await until("it is gone", () => model.pid === undefined);
    };
    await kill();
    await kill();
    const askedAt = performance.now();
    await expect(model.run(["a"], signal)).rejects.toMatchObject({ code: "dependency_failed", retryable: true });
    expect(performance.now() - askedAt).toBeLessThan(50);
    expect(model.problem()).toMatch(/tiny ended \(SIGKILL\)/);
    expect(model.pid).toBeUndefined();
    await sleep(600);
    await kill();
    await sleep(600);
    await expect(model.run(["a"], signal)).rejects.toThrow(/started again in 1 s/);
    await sleep(500);
    expect((await model.run(["a"], signal)).tokens).toBe(3);
    expect(model.counts().starts).toBe(4);
  });

  test("hung: ended at its limit, calls fail, its memory comes back, and another answers", async () => {
    const model = opened({ batchTimeoutMs: 2000 });
    await model.start(signal);
    const { pid = 0 } = model;
    process.kill(pid, "SIGSTOP");
    const askedAt = performance.now();
    await expect(model.run(["a"], signal)).rejects.toMatchObject({ code: "dependency_failed", retryable: true });
    expect(performance.now() - askedAt).toBeGreaterThan(1900);
    await until("the process is gone", () => !isAlive(pid));
    expect((await model.run(["a"], signal)).tokens).toBe(3);
  });

  test("a caller who leaves is let go at once; the process goes on", async () => {
    const model = opened();
    await model.start(signal);
    const { pid = 0 } = model;
    process.kill(pid, "SIGSTOP");
    const controller = new AbortController();
    const running = model.run(["a"], controller.signal).catch((error: unknown) => error);
    await sleep(20);
    const leftAt = performance.now();
    controller.abort(new Error("left"));
    expect(await running).toMatchObject({ message: "left" });
    expect(performance.now() - leftAt).toBeLessThan(50);
    process.kill(pid, "SIGCONT");
    expect((await model.run(["b"], signal)).tokens).toBe(3);
    expect(model.pid).toBe(pid);
  });

  test("weights that are none: the failure says so, and so does the state", async () => {
    writeEmbedder(folder.file("broken"));
    writeFileSync(join(folder.file("broken"), "onnx/model.onnx"), "this is no model");
    const model = opened({ model: "broken" });
    await expect(model.run(["a"], signal)).rejects.toMatchObject({ code: "dependency_failed" });
    expect(model.problem()).toMatch(/broken cannot be loaded from .*broken/);
    await expect(model.start(signal)).rejects.toMatchObject({ code: "dependency_failed" });
  });

  test("a batch that the model refuses fails alone, and no retry is asked for", async () => {
    const model = opened({ maxTokens: 200 });
    const tooLong = model.run(["a ".repeat(150)], signal);
    const fine = model.run(["a"], signal);
    await expect(tooLong).rejects.toMatchObject({ code: "dependency_failed", retryable: false });
    expect((await fine).tokens).toBe(3);
    expect(model.counts().starts).toBe(1);
  });

  test("closed: the process ends, and calls fail", async () => {
    const model = opened();
    await model.start(signal);
    const { pid = 0 } = model;
    const running = model.run(["a"], signal).catch((error: unknown) => error);
    model.close();
    expect(await running).toMatchObject({ code: "dependency_failed" });
    await until("the process is gone", () => !isAlive(pid));
    await expect(model.run(["a"], signal)).rejects.toThrow(/was closed/);
  });

  test("inference does not hold up this process", async () => {
    const model = opened();
    await model.start(signal);
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    const batch = Array.from({ length: 64 }, (_, i) => `word ${i} `.repeat(12));
    for (let i = 0; i < 10; i++) await model.run(batch, signal);
    delay.disable();
    // The bar is 20 ms; `npm run bench:models` measures it. Here others run tests beside.
    expect(delay.percentile(50) / 1e6).toBeLessThan(20);
  });
});
