import { beforeAll, describe, expect, test } from "vitest";
import { createHashingEmbedder } from "../../src/adapters/embedder/hashing.ts";
import { createStaticEmbedder } from "../../src/adapters/embedder/static.ts";
import { languageAgreement } from "../../src/fusion/agreement.ts";
import { learnFusion } from "../../src/fusion/learn.ts";
import { headingQuestions, sentenceQuestions, spread, thinned } from "../../src/fusion/questions.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import type { StoredPassage } from "../../src/ports/fusion-store.ts";
import { passageText } from "../../src/text/passage-text.ts";

const { signal } = new AbortController();
const options = { passages: 60, breathe: () => undefined, signal };

/** Sixty passages on as many matters; each says its own in two sentences that share few words. */
const MATTERS = Array.from(
  { length: 60 },
  (_, i) => `${"가나다라마바사아자차"[i % 10]}${"카타파하거너더러머버"[Math.floor(i / 10)]}`,
);
const sample = MATTERS.map(
  (word, i): StoredPassage => ({
    title: `${word}사업 운영 지침 ${i}`,
    headings: [],
    text: `담당 부서는 ${word}물품을 매달 점검하여 기록한다. 신청서는 ${i}번 창구에서 받으며 결과는 서면으로 알린다.`,
    vector: null,
  }),
);

async function embedded(embedder: Embedder): Promise<StoredPassage[]> {
  const vectors = await embedder.embed(sample.map(passageText), "passage", { signal });
  return sample.map((passage, i) => ({ ...passage, vector: vectors[i] ?? null }));
}

/** Knows which matter a text is about, in whatever words, or nothing at all. */
function fakeEmbedder(knows: boolean): Embedder {
  return {
    model: knows ? "oracle" : "noise",
    dimensions: 64,
    embed: async (texts) =>
      texts.map((text) => {
        const vector = new Float32Array(64);
        const own = MATTERS.findIndex((word) => text.includes(word));
        const number = Number(/(\d+)번/.exec(text)?.[1] ?? own);
        vector[knows ? Math.max(0, number) : (text.length * 7) % 64] = 1;
        return vector;
      }),
  };
}

describe("questions made of a collection", () => {
  test("a sentence is taken out of the passage that it asks for; headings ask for what is below them", () => {
    const [first] = sentenceQuestions(sample);
    expect(first?.text).toBe(`담당 부서는 ${MATTERS[0]}물품을 매달 점검하여 기록한다.`);
    expect(first?.reduced.text).not.toContain(first?.text);
    expect(first?.reduced.text).toContain("창구");
    expect(headingQuestions(sample)[3]?.text).toBe(sample[3]?.title);
  });

  test("thinned, every second word that the rest of the passage repeats is gone, and no other", () => {
    const place = 0;
    const reduced: StoredPassage = {
      title: "연차 휴가 규정",
      headings: [],
      text: "연차 휴가는 부서장이 정한다.",
      vector: null,
    };
    const text = "연차 휴가 신청 부서장 승인 서면";
    const [one] = thinned([{ text, sentence: text, language: "ko", place, reduced }]);
    expect(one?.text).toBe("연차 신청 부서장 승인 서면");
    expect(one?.sentence).toBe(text);
    expect(thinned([{ text: "연차 휴가", sentence: "연차 휴가", language: "ko", place, reduced }])).toEqual([]);
  });

  test("are spread evenly, and never more than asked for", () => {
    expect(spread(3, 10)).toEqual([0, 1, 2]);
    expect(spread(100, 4)).toEqual([12, 37, 62, 87]);
  });
});

describe("learnFusion", () => {
  let byOracle: Awaited<ReturnType<typeof learnFusion>>;
  beforeAll(async () => {
    const oracle = fakeEmbedder(true);
    byOracle = await learnFusion(await embedded(oracle), oracle, options);
  });

  test("trusts vectors that find what words do not, and says from how many questions it knows", () => {
    expect(byOracle.weights.ko.uncovered).toBeGreaterThan(0);
    expect(byOracle.weights.ko.questions).toBe(180);
    expect(byOracle).toMatchObject({ embedder: "oracle", passages: 60 });
  });

  test("gives vectors that bring nothing no weight", async () => {
    const noise = fakeEmbedder(false);
    const { weights } = await learnFusion(await embedded(noise), noise, options);
    expect(weights.ko).toMatchObject({ uncovered: 0, covered: 0 });
  });

  test("gives the same for the same sample", async () => {
    const oracle = fakeEmbedder(true);
    expect(await learnFusion(await embedded(oracle), oracle, options)).toEqual(byOracle);
  });

  test("a handful of passages keeps the prior; questions in the other language go by what the embedder knows of both", async () => {
    const few = async (embedder: Embedder) =>
      (await learnFusion((await embedded(embedder)).slice(0, 5), embedder, { ...options, passages: 5 })).weights;
    const withTable = await few(createStaticEmbedder());
    expect(withTable.ko).toEqual({ uncovered: 0.3, covered: 0, questions: 0 });
    expect(withTable.en.uncovered).toBeGreaterThan(0.4);
    expect((await few(createHashingEmbedder())).en.uncovered).toBeLessThan(0.2);
  });

  test("stops when its caller leaves", async () => {
    const oracle = fakeEmbedder(true);
    await expect(
      learnFusion(await embedded(oracle), oracle, { ...options, signal: AbortSignal.abort(new Error("left")) }),
    ).rejects.toThrow("left");
  });
});

test("the static table brings Korean and English together, hashed spelling does not", async () => {
  expect(await languageAgreement(createStaticEmbedder(), { signal })).toBeGreaterThan(0.8);
  expect(await languageAgreement(createHashingEmbedder(), { signal })).toBeLessThan(0.2);
});
