import { expect, test } from "vitest";
import { drivenStages, type Material } from "../../src/profile/calls.ts";
import { measureProfile } from "../../src/profile/measure.ts";
import { call, SCOPE } from "../support/calls.ts";
import { FOUND, fakeStages } from "../support/stages.ts";

const MATERIAL: Material = {
  questions: Array.from({ length: 40 }, (_, n) => `연차휴가 ${n}일은 언제 생기나요?`),
  found: FOUND,
  outputTokensMax: 8,
};

/** The calls of the embedder while one stage is driven as a profile does. */
async function embeddedWhile(driven: "embed" | "search") {
  const calls: (readonly string[])[] = [];
  const searched: (Float32Array | undefined)[] = [];
  const { embedder, index } = fakeStages();
  const stages = fakeStages({
    embedder: {
      ...embedder,
      embed: async (texts) => {
        calls.push(texts);
        return texts.map(() => new Float32Array([1, 0]));
      },
    },
    index: {
      ...index,
      search: async (scope, query, options) => {
        searched.push(query.vector);
        return index.search(scope, query, options);
      },
    },
  });
  const stage = drivenStages(stages, SCOPE, MATERIAL).filter(({ step }) => step === driven);
  const options = { seconds: 0.2, emulated: [], signal: call().signal, useOf: () => "fake" };
  const profile = await measureProfile(stage, options);
  return { calls, searched, errors: profile.stages[0]?.errors };
}

test("an embedder is sent no text twice, whatever the batch and the callers", async () => {
  const { calls, errors } = await embeddedWhile("embed");
  const questions = calls.filter(({ length }) => length === 1).flat();
  expect(questions.length).toBeGreaterThan(100);
  expect(new Set(questions).size).toBe(questions.length);
  expect(errors).toEqual({});
});

test("search is driven with vectors that one call embedded beforehand", async () => {
  const { calls, searched, errors } = await embeddedWhile("search");
  expect(calls).toEqual([MATERIAL.questions.slice(0, 32)]);
  expect(searched.length).toBeGreaterThan(100);
  expect(searched.every((vector) => vector !== undefined)).toBe(true);
  expect(errors).toEqual({});
});

test("search is driven though the questions could not be embedded at first", async () => {
  const { embedder } = fakeStages();
  let tries = 0;
  const embed: typeof embedder.embed = async (texts) => {
    if (++tries === 1) throw new Error("the embedder is being started");
    return texts.map(() => new Float32Array([1, 0]));
  };
  const stages = fakeStages({ embedder: { ...embedder, embed } });
  const search = drivenStages(stages, SCOPE, MATERIAL)
    .find(({ step }) => step === "search")
    ?.call(1);
  const ask = () => search?.(0, call(), () => undefined);
  await expect(ask()).rejects.toThrow("started");
  await ask();
  expect(tries).toBe(2);
});
