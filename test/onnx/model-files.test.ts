import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readEmbedder, readReranker } from "../../src/adapters/onnx/model-files.ts";
import { folderForTest } from "../support/folder.ts";
import { writeEmbedder, writeRandomReranker } from "../support/onnx/models.ts";

const THREADS = { threads: 1 };
const pooling = (mode: string, more = {}) => ({ "1_Pooling/config.json": { [mode]: true, ...more } });
const written = (files: Readonly<Record<string, unknown>> = {}, name = "tiny") =>
  writeEmbedder(folderForTest().file(name), { files });

describe("what a model's folder says", () => {
  test("pooling, dimensions, dtype, longest input", () => {
    const folder = written({ "sentence_bert_config.json": { max_seq_length: 48 } });
    expect(readEmbedder(folder, "tiny", THREADS)).toEqual({
      task: "embed",
      folder,
      dtype: "fp32",
      dimensions: 32,
      maxTokens: 48,
      pooling: "mean",
      queryPrefix: "",
      passagePrefix: "",
      threads: 1,
    });
  });

  test.each([
    ["pooling_mode_cls_token", "cls"],
    ["pooling_mode_max_tokens", "max"],
    ["pooling_mode_lasttoken", "last"],
    ["pooling_mode_mean_sqrt_len_tokens", "mean"],
  ])("%s: %s", (mode, expected) => {
    expect(readEmbedder(written(pooling(mode)), "tiny", THREADS).pooling).toBe(expected);
  });

  test("prompts of sentence-transformers; a default one is for both", () => {
    const named = written({ "config_sentence_transformers.json": { prompts: { query: "q: ", document: "d: " } } });
    expect(readEmbedder(named, "tiny", THREADS)).toMatchObject({ queryPrefix: "q: ", passagePrefix: "d: " });
    const byDefault = { prompts: { a: "x: " }, default_prompt_name: "a" };
    const both = written({ "config_sentence_transformers.json": byDefault });
    expect(readEmbedder(both, "tiny", THREADS)).toMatchObject({ queryPrefix: "x: ", passagePrefix: "x: " });
  });

  test.each([
    ["Xenova/multilingual-e5-small", "query: ", "passage: "],
    ["multilingual-e5-small-ko-en", "query: ", "passage: "],
    ["e5-base-v2", "query: ", "passage: "],
    ["multilingual-e5-large-instruct", "", ""],
    ["Xenova/all-MiniLM-L6-v2", "", ""],
    ["nomic-embed-text-v1.5", "search_query: ", "search_document: "],
  ])("files that say nothing: the family's prefixes of %s", (name, queryPrefix, passagePrefix) => {
    expect(readEmbedder(written(), name, THREADS)).toMatchObject({ queryPrefix, passagePrefix });
  });

  test("the configuration goes before the files", () => {
    const folder = written({ "config_sentence_transformers.json": { prompts: { query: "q: " } } });
    const overrides = { ...THREADS, queryPrefix: "", passagePrefix: "p: ", pooling: "cls", maxTokens: 20 } as const;
    expect(readEmbedder(folder, "tiny", overrides)).toMatchObject({
      queryPrefix: "",
      passagePrefix: "p: ",
      pooling: "cls",
      maxTokens: 20,
    });
  });

  test.each([
    [
      "two poolings at once",
      pooling("pooling_mode_cls_token", { pooling_mode_mean_tokens: true }),
      /1_Pooling.*`pooling`/,
    ],
    ["a pooling nobody knows", pooling("pooling_mode_weightedmean_tokens"), /not supported/],
    ["a pooling without the prompt", pooling("pooling_mode_mean_tokens", { include_prompt: false }), /not supported/],
    ["a dense layer", { "modules.json": [{ path: "2_Dense", type: "sentence_transformers.models.Dense" }] }, /Dense/],
    ["a config of another shape", { "config.json": { hidden_size: "many" } }, /config.json is not what it should be/],
  ])("refuses %s", (_, files, message) => {
    expect(() => readEmbedder(written(files), "tiny", THREADS)).toThrow(message);
  });

  test("names the file that is missing", () => {
    const folder = written();
    expect(() => readEmbedder(folder, "tiny", { ...THREADS, dtype: "q4" })).toThrow(/onnx\/model_q4\.onnx/);
    rmSync(join(folder, "tokenizer.json"));
    expect(() => readEmbedder(folder, "tiny", THREADS)).toThrow(/no tokenizer.json/);
  });

  test("a classifier of many labels is no reranker", () => {
    const labels = { 0: "contradiction", 1: "entailment", 2: "neutral" };
    const config = { model_type: "bert", hidden_size: 32, max_position_embeddings: 64, id2label: labels };
    const folder = writeRandomReranker(folderForTest().file("nli"), { files: { "config.json": config } });
    expect(() => readReranker(folder, THREADS)).toThrow(/3 labels/);
  });
});
