import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { halves, measure } from "../../bench/retrieval/measure.ts";
import { DATA, loadSet, SETS } from "../../bench/retrieval/sets.ts";
import { createHashingEmbedder } from "../../src/adapters/embedder/hashing.ts";
import { createStaticEmbedder } from "../../src/adapters/embedder/static.ts";
import { mean } from "../../src/statistics.ts";

/** Against text alone; the smallest set has 38 questions. */
const LOSS_MAX = 0.005;
/** The same on half of a set's questions. */
const HALF_LOSS_MAX = 0.01;

describe.skipIf(!existsSync(DATA)).each(SETS)("$name", (set) => {
  test(`the default reaches ${JSON.stringify(set.bars)}, and vectors hurt nothing`, { timeout: 200_000 }, async () => {
    const { text, search, rerank } = await measure(await loadSet(set), createStaticEmbedder());
    expect(mean(search)).toBeGreaterThanOrEqual(mean(text) - LOSS_MAX);
    expect(mean(search)).toBeGreaterThanOrEqual(set.bars.search);
    expect(mean(rerank)).toBeGreaterThanOrEqual(set.bars.rerank);
    expect(mean(rerank)).toBeGreaterThanOrEqual(mean(search) - LOSS_MAX);
    const alone = halves(text);
    for (const [i, half] of halves(search).entries()) {
      expect(mean(half)).toBeGreaterThanOrEqual(mean(alone[i] ?? []) - HALF_LOSS_MAX);
    }
  });

  test("hashed spelling hurts nothing either", { timeout: 200_000 }, async () => {
    const { text, search, rerank } = await measure(await loadSet(set), createHashingEmbedder({ dimensions: 384 }));
    expect(mean(search)).toBeGreaterThanOrEqual(mean(text) - LOSS_MAX);
    expect(mean(rerank)).toBeGreaterThanOrEqual(mean(text) - LOSS_MAX);
  });
});

test.runIf(!existsSync(DATA))("retrieval bars are skipped: no evaluation data beside the repository", () => {});
