import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { AutoModel, env, Tensor } from "@huggingface/transformers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createOnnxEmbedder } from "../../src/adapters/embedder/onnx.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import { dot } from "../contract/embedder.ts";
import { call } from "../support/calls.ts";

const MODELS = join(process.env.RAGLINE_SHARED ?? join(import.meta.dirname, "../../../shared"), "models");
const present = existsSync(join(MODELS, "all-MiniLM-L6-v2"));

interface Row {
  readonly text: string;
  readonly max_tokens: number;
  readonly ids: readonly number[];
  /** Of the shipped file's vector with `vector`. */
  readonly cosine_of_file: number;
  /** Of a float32 forward pass over the source weights. */
  readonly vector: readonly number[];
}

/** Below this the file itself is from the float32 weights: int8 rows of Korean and emoji, which MiniLM does not know. */
const FILE_COSINE_MIN = 0.98;

describe.skipIf(!present).each([
  ["all-MiniLM-L6-v2", "all-MiniLM-L6-v2/q8/384"],
  ["multilingual-e5-small-ko-en", "multilingual-e5-small-ko-en/q4/384"],
])("%s agrees with its reference", (name, space) => {
  const folder = join(MODELS, name);
  const rows = present ? (JSON.parse(readFileSync(join(folder, "reference.json"), "utf8")).rows as Row[]) : [];
  const embedders = new Map<number, Embedder>();

  beforeAll(() => {
    for (const maxTokens of [256, 512]) {
      const options = { model: folder, cacheFolder: MODELS, batchTimeoutMs: 60_000, threads: 1 };
      embedders.set(maxTokens, createOnnxEmbedder({ ...options, maxTokens }));
    }
  });
  afterAll(async () => {
    for (const embedder of embedders.values()) await embedder.close?.();
  });

  test("one text at a time: the same file's cosine with float32, to 0.001, and 0.98 where the file reaches it", async () => {
    for (const { text, max_tokens, vector, cosine_of_file } of rows) {
      const [found] = (await embedders.get(max_tokens)?.embed([text], "query", call())) ?? [];
      const cosine = dot(Float32Array.from(vector), found);
      expect(Math.abs(cosine - cosine_of_file), text.slice(0, 40)).toBeLessThan(0.001);
      if (cosine_of_file >= FILE_COSINE_MIN) expect(cosine, text.slice(0, 40)).toBeGreaterThanOrEqual(0.98);
    }
  });

  test("one text at a time: cosine 0.999 with the same file, called directly with the reference's tokens", async () => {
    env.allowRemoteModels = false;
    const model = await AutoModel.from_pretrained(folder, { dtype: space.includes("q4") ? "q4" : "q8", device: "cpu" });
    for (const { text, max_tokens, ids } of rows) {
      const dims = [1, ids.length];
      const { last_hidden_state: states } = await model({
        input_ids: new Tensor("int64", BigInt64Array.from(ids, BigInt), dims),
        attention_mask: new Tensor("int64", new BigInt64Array(ids.length).fill(1n), dims),
        token_type_ids: new Tensor("int64", new BigInt64Array(ids.length), dims),
      });
      const direct: Float32Array = states.mean(1).normalize(2, -1).data;
      const [found] = (await embedders.get(max_tokens)?.embed([text], "query", call())) ?? [];
      expect(dot(direct, found), text.slice(0, 40)).toBeGreaterThanOrEqual(0.999);
    }
    await model.dispose();
  });

  test("reads the very tokens of the reference, and counts what it cuts", async () => {
    for (const maxTokens of [256, 512]) {
      const embedder = embedders.get(maxTokens);
      const before = embedder?.counts?.();
      const mine = rows.filter(({ max_tokens }) => max_tokens === maxTokens);
      for (const { text } of mine) await embedder?.embed([text], "query", call());
      const after = embedder?.counts?.();
      const tokens = mine.reduce((sum, { ids }) => sum + ids.length, 0);
      expect((after?.tokens ?? 0) - (before?.tokens ?? 0)).toBe(tokens);
      if (maxTokens === 256) expect((after?.cut ?? 0) - (before?.cut ?? 0)).toBe(1);
    }
  });

  test("its folder says how it is used", async () => {
    const embedder = createOnnxEmbedder({ model: folder, cacheFolder: MODELS, batchTimeoutMs: 60_000, threads: 1 });
    expect(embedder.model).toBe(space);
    expect(embedder.textTokensMax).toBe(name.includes("MiniLM") ? 256 : 512);
    await embedder.close?.();
  });
});

test.runIf(!present)("real weights are skipped: no models beside the repository (../shared/models)", () => {});
