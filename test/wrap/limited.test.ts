import { describe, expect, test } from "vitest";
import type { GenerateDelta } from "../../src/ports/language-model.ts";
import { limitedEmbedder, limitedModel, limitedReranker } from "../../src/wrap/limited.ts";
import { call, collect } from "../support/calls.ts";
import { generateRequest } from "../support/requests.ts";
import { modelOf } from "../support/stages.ts";

const REQUEST = generateRequest("연차", []);

describe("ports", () => {
  const limits = { concurrencyMax: 1, queueMax: 0 };

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
  });

  test("a question's embedding goes before passages that wait", async () => {
    const order: string[] = [];
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const embed = async ([text = ""]: readonly string[]) => {
      order.push(text);
      if (text === "first") await held;
      return [new Float32Array(1)];
    };
    const embedder = limitedEmbedder({ model: "m", dimensions: 1, embed }, { concurrencyMax: 1, queueMax: 8 });
    const all = [
      embedder.embed(["first"], "passage", call()),
      embedder.embed(["passage"], "passage", call()),
      embedder.embed(["question"], "query", call()),
    ];
    release();
    await Promise.all(all);
    expect(order).toEqual(["first", "question", "passage"]);
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

  test("streams of streams end all their turns, read to the end, left or broken off", async () => {
    let breaks = false;
    const source = modelOf(async function* (): AsyncGenerator<GenerateDelta> {
      yield { type: "text", text: "네" };
      if (breaks) throw new Error("broken");
      yield { type: "end", finishReason: "stop" };
    });
    const model = limitedModel(limitedModel(limitedModel(source, limits), limits), limits);
    const read = () => collect(model.stream(REQUEST, call()));
    expect(await read()).toHaveLength(2);
    for await (const _ of model.stream(REQUEST, call())) break;
    breaks = true;
    await expect(read()).rejects.toThrow("broken");
    breaks = false;
    expect(await read()).toHaveLength(2);
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
