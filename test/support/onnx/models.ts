import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OnnxGraph } from "./file.ts";
import { wordPieces } from "./tokenizer.ts";

export interface BertShape {
  readonly layers: number;
  readonly hidden: number;
  readonly heads: number;
  readonly intermediate: number;
  readonly positions: number;
}

export const TINY: BertShape = { layers: 1, hidden: 32, heads: 2, intermediate: 64, positions: 64 };

/** As cross-encoder/ms-marco-TinyBERT-L-2-v2. */
export const TINY_BERT_L2: BertShape = { layers: 2, hidden: 128, heads: 2, intermediate: 512, positions: 512 };

export interface TinyModel {
  readonly shape?: BertShape;
  /** Whole words of the vocabulary; all else is read by letters and syllables. */
  readonly words?: readonly string[];
  /** Further files of the folder, by path; JSON. */
  readonly files?: Readonly<Record<string, unknown>>;
}

/** A sentence embedder with random weights, as a folder that the hub could hold. */
export function writeEmbedder(folder: string, { shape = TINY, words = [], files = {} }: TinyModel = {}): string {
  const vocabulary = wordPieces(words);
  const { graph, states } = bert(shape, Object.keys(vocabulary.pieces).length);
  const file = graph.file(states, "last_hidden_state", ["batch", "sequence", String(shape.hidden)]);
  return writeFolder(folder, file, vocabulary.json, {
    "config.json": config("BertModel", shape),
    "modules.json": [
      { idx: 0, name: "0", path: "", type: "sentence_transformers.models.Transformer" },
      { idx: 1, name: "1", path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
    ],
    "1_Pooling/config.json": { word_embedding_dimension: shape.hidden, pooling_mode_mean_tokens: true },
    ...files,
  });
}

/** A cross-encoder with random weights: its scores mean nothing. */
export function writeRandomReranker(folder: string, { shape = TINY, words = [], files = {} }: TinyModel = {}): string {
  const vocabulary = wordPieces(words);
  const { graph, states } = bert(shape, Object.keys(vocabulary.pieces).length);
  const first = graph.node("Gather", [states, graph.weights({ dims: [], data: BigInt64Array.of(0n) })], { axis: 1 });
  const random = generator(7);
  const logits = graph.node("MatMul", [first, graph.floats([shape.hidden, 1], () => random())]);
  const file = graph.file(logits, "logits", ["batch", "1"]);
  return writeFolder(folder, file, vocabulary.json, {
    "config.json": config("BertForSequenceClassification", shape),
    ...files,
  });
}

/** A cross-encoder that counts the tokens which a query and a text share: its scores mean something. */
export function writeOverlapReranker(folder: string, { words = [], files = {} }: TinyModel = {}): string {
  const vocabulary = wordPieces(words);
  const size = Object.keys(vocabulary.pieces).length;
  const hidden = 64;
  const random = generator(3);
  const graph = new OnnxGraph();
  const ids = graph.input("input_ids");
  const mask = graph.node("Cast", [graph.input("attention_mask")], { to: 1 });
  const types = graph.node("Cast", [graph.input("token_type_ids")], { to: 1 });
  const isWord = (i: number) => i >= vocabulary.special * hidden;
  const table = graph.floats([size, hidden], (i) => (isWord(i) ? (random() > 0 ? 1 : -1) / Math.sqrt(hidden) : 0));
  const embedded = graph.node("Gather", [table, ids]);
  const axes = graph.integers([1]);
  const sum = (weight: string) => {
    const column = graph.node("Unsqueeze", [weight, graph.integers([2])]);
    return graph.node("ReduceSum", [graph.node("Mul", [embedded, column]), axes], { keepdims: 0 });
  };
  const second = graph.node("Mul", [types, mask]);
  const shared = graph.node("Mul", [sum(graph.node("Sub", [mask, second])), sum(second)]);
  const logits = graph.node("ReduceSum", [shared, axes], { keepdims: 1 });
  const file = graph.file(logits, "logits", ["batch", "1"]);
  const shape = { ...TINY, hidden, positions: 512 };
  return writeFolder(folder, file, vocabulary.json, {
    "config.json": config("BertForSequenceClassification", shape),
    ...files,
  });
}

function config(architecture: string, shape: BertShape): unknown {
  return {
    architectures: [architecture],
    model_type: "bert",
    hidden_size: shape.hidden,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    intermediate_size: shape.intermediate,
    max_position_embeddings: shape.positions,
    pad_token_id: 0,
    ...(architecture.endsWith("Classification") && { id2label: { 0: "LABEL_0" } }),
  };
}

function writeFolder(
  folder: string,
  onnx: Buffer,
  tokenizer: unknown,
  files: Readonly<Record<string, unknown>>,
): string {
  const all = {
    "tokenizer.json": tokenizer,
    "tokenizer_config.json": { tokenizer_class: "BertTokenizer", model_max_length: 512, pad_token: "[PAD]" },
    ...files,
  };
  for (const [path, content] of Object.entries(all)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), JSON.stringify(content));
  }
  mkdirSync(join(folder, "onnx"), { recursive: true });
  writeFileSync(join(folder, "onnx/model.onnx"), onnx);
  return folder;
}

/** BERT's graph with random weights, small enough beside the word embeddings that texts stay told apart. */
function bert({ layers, hidden, heads, intermediate, positions }: BertShape, vocabulary: number) {
  const random = generator(1);
  const graph = new OnnxGraph();
  const ids = graph.input("input_ids");
  const mask = graph.input("attention_mask");
  const types = graph.input("token_type_ids");
  const matrix = (rows: number, columns: number, scale = 0.5 / Math.sqrt(rows)) =>
    graph.floats([rows, columns], () => random() * scale);
  const constant = (value: number) => graph.floats([], () => value);
  const add = (a: string, b: string) => graph.node("Add", [a, b]);
  const bias = (width: number) => graph.floats([width], () => random() * 0.02);
  const linear = (x: string, from: number, to: number) => add(graph.node("MatMul", [x, matrix(from, to)]), bias(to));
  const normalized = (x: string) =>
    graph.node("LayerNormalization", [x, graph.floats([hidden], () => 1), bias(hidden)], {
      axis: -1,
      epsilon: { float: 1e-12 },
    });
  const length = graph.node("Shape", [ids], { start: 1, end: 2 });
  const places = graph.node("Slice", [
    matrix(positions, hidden, 0.1),
    graph.integers([0]),
    length,
    graph.integers([0]),
  ]);
  const words = graph.node("Gather", [matrix(vocabulary, hidden, 1), ids]);
  const segments = graph.node("Gather", [matrix(2, hidden, 0.1), types]);
  let x = normalized(add(add(words, segments), places));

  const isPadding = graph.node("Sub", [constant(1), graph.node("Cast", [mask], { to: 1 })]);
  const hidden4 = graph.node("Unsqueeze", [isPadding, graph.integers([1, 2])]);
  const bar = graph.node("Mul", [hidden4, constant(-10_000)]);
  const width = hidden / heads;
  const split = (y: string, perm: readonly number[]) =>
    graph.node("Transpose", [graph.node("Reshape", [y, graph.integers([0, 0, heads, width])])], { perm });
  for (let layer = 0; layer < layers; layer++) {
    const query = split(linear(x, hidden, hidden), [0, 2, 1, 3]);
    const key = split(linear(x, hidden, hidden), [0, 2, 3, 1]);
    const value = split(linear(x, hidden, hidden), [0, 2, 1, 3]);
    const scores = graph.node("Mul", [graph.node("MatMul", [query, key]), constant(1 / Math.sqrt(width))]);
    const attention = graph.node("Softmax", [add(scores, bar)], { axis: -1 });
    const mixed = graph.node("Transpose", [graph.node("MatMul", [attention, value])], { perm: [0, 2, 1, 3] });
    const joined = graph.node("Reshape", [mixed, graph.integers([0, 0, hidden])]);
    x = normalized(add(x, linear(joined, hidden, hidden)));
    const inner = linear(x, hidden, intermediate);
    const erf = graph.node("Erf", [graph.node("Mul", [inner, constant(Math.SQRT1_2)])]);
    const gelu = graph.node("Mul", [graph.node("Mul", [inner, constant(0.5)]), add(erf, constant(1))]);
    x = normalized(add(x, linear(gelu, intermediate, hidden)));
  }
  return { graph, states: x };
}

/** Uniform from −1 to 1, the same each time (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}
