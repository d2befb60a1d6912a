import { AutoModel, AutoModelForSequenceClassification, AutoTokenizer, env, Tensor } from "@huggingface/transformers";
import type { ModelSpec } from "./model-files.ts";
import { pooled } from "./pooling.ts";

/** A text, or a query and a text. */
export type ModelInput = string | readonly [query: string, text: string];

export interface ModelOutput {
  /** Row by row: vectors of unit length, or the logits of relevance. */
  readonly values: Float32Array;
  readonly width: number;
  /** Read by the model, special ones included, padding not. */
  readonly tokens: number;
  /** Inputs that were longer than the model's limit. */
  readonly cut: number;
}

export type Model = (inputs: readonly ModelInput[]) => Promise<ModelOutput>;

/** Padding in a run, as a share of its real tokens, at most. */
const PADDING_SHARE = 0.1;
/** Texts are looked at up to so many characters a token of the limit; natural text has 1 to 6. */
const CHARACTERS_A_TOKEN = 40;

interface Encoded {
  readonly ids: readonly number[];
  /** Where the second text's tokens begin. */
  readonly second: number;
  readonly isCut: boolean;
}

/** Loads tokenizer and weights from the folder; nothing is fetched. Belongs into a process of its own: inference blocks. */
export async function loadModel(spec: ModelSpec): Promise<Model> {
  env.allowRemoteModels = false;
  const { folder, dtype, threads } = spec;
  const tokenizer = await AutoTokenizer.from_pretrained(folder);
  const Loader = spec.task === "embed" ? AutoModel : AutoModelForSequenceClassification;
  const model = await Loader.from_pretrained(folder, {
    dtype,
    device: "cpu",
    session_options: {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // Threads that spin while they wait take the cores that the server answers on.
      extra: { "session.intra_op.allow_spinning": "0" },
    },
  });
  const encode = encoder(tokenizer, spec.maxTokens);
  const padId = tokenizer.pad_token_id ?? 0;

  return async (inputs) => {
    const encoded = inputs.map(encode);
    let values: Float32Array | undefined;
    let width = 0;
    for (const run of runs(encoded.map(({ ids }) => ids.length))) {
      const rows = run.map((at) => encoded[at] ?? { ids: [], second: 0, isCut: false });
      const batch = tensors(rows, padId);
      const outputs: Record<string, Tensor> = await model({ ...batch });
      const result = spec.task === "embed" ? pooled(outputs, rows, spec.pooling) : relevance(outputs);
      width = result.width;
      values ??= new Float32Array(inputs.length * width);
      for (const [i, at] of run.entries()) values.set(result.values.subarray(i * width, (i + 1) * width), at * width);
    }
    return {
      values: values ?? new Float32Array(),
      width,
      tokens: encoded.reduce((sum, { ids }) => sum + ids.length, 0),
      cut: encoded.filter(({ isCut }) => isCut).length,
    };
  };
}

interface Tokenizer {
  encode(text: string, options?: { text_pair?: string; add_special_tokens?: boolean }): number[];
}

/** Cuts at the limit and keeps the special tokens; of a pair the query may take half. */
function encoder(tokenizer: Tokenizer, maxTokens: number): (input: ModelInput) => Encoded {
  const plain = (text: string) => tokenizer.encode(text, { add_special_tokens: false });
  const [a = 0] = plain("a");
  const [b = 0] = plain("b");
  const single = tokenizer.encode("a");
  const pair = tokenizer.encode("a", { text_pair: "b" });
  const before = single.slice(0, single.indexOf(a));
  const after = single.slice(single.indexOf(a) + 1);
  const between = pair.slice(pair.indexOf(a) + 1, pair.indexOf(b));
  const end = pair.slice(pair.indexOf(b) + 1);
  const charactersMax = maxTokens * CHARACTERS_A_TOKEN;
  let latest = { query: "", ids: plain("") };

  return (input) => {
    if (typeof input === "string") {
      const room = maxTokens - before.length - after.length;
      const ids = plain(input.slice(0, charactersMax));
      const isCut = ids.length > room || input.length > charactersMax;
      return { ids: [...before, ...ids.slice(0, room), ...after], second: Number.POSITIVE_INFINITY, isCut };
    }
    const [query, text] = input;
    if (latest.query !== query) latest = { query, ids: plain(query.slice(0, charactersMax)) };
    const room = maxTokens - before.length - between.length - end.length;
    const first = latest.ids.slice(0, Math.floor(room / 2));
    const ids = plain(text.slice(0, charactersMax));
    const second = ids.slice(0, room - first.length);
    const head = [...before, ...first, ...between];
    const isCut = first.length < latest.ids.length || second.length < ids.length || text.length > charactersMax;
    return { ids: [...head, ...second, ...end], second: head.length, isCut };
  };
}

/** Numbers of inputs that run together: of like length, so that padding is bounded. */
export function runs(lengths: readonly number[]): number[][] {
  const sorted = lengths.map((_, at) => at).sort((x, y) => (lengths[x] ?? 0) - (lengths[y] ?? 0));
  const all: number[][] = [];
  let run: number[] = [];
  let tokens = 0;
  for (const at of sorted) {
    const length = lengths[at] ?? 0;
    if (run.length > 0 && length * (run.length + 1) > (tokens + length) * (1 + PADDING_SHARE)) {
      all.push(run);
      run = [];
      tokens = 0;
    }
    run.push(at);
    tokens += length;
  }
  return run.length > 0 ? [...all, run] : all;
}

function tensors(rows: readonly Encoded[], padId: number): Record<string, Tensor> {
  const width = Math.max(...rows.map(({ ids }) => ids.length));
  const [ids, mask, types] = [0, 1, 2].map(() => new BigInt64Array(rows.length * width)) as [
    BigInt64Array,
    BigInt64Array,
    BigInt64Array,
  ];
  // Low halves of little-endian 64-bit values: a BigInt for each token would cost more than pooling.
  const [low, lowMask, lowTypes] = [ids, mask, types].map(({ buffer }) => new Int32Array(buffer)) as [
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  for (const [row, { ids, second }] of rows.entries()) {
    for (let i = 0; i < width; i++) {
      const at = 2 * (row * width + i);
      const isToken = i < ids.length;
      low[at] = isToken ? (ids[i] ?? padId) : padId;
      lowMask[at] = isToken ? 1 : 0;
      lowTypes[at] = isToken && i >= second ? 1 : 0;
    }
  }
  const dims = [rows.length, width];
  return {
    input_ids: new Tensor("int64", ids, dims),
    attention_mask: new Tensor("int64", mask, dims),
    token_type_ids: new Tensor("int64", types, dims),
  };
}

/** One logit a row; of two, how far the second is above the first, whose sigmoid is the softmax of both. */
function relevance({ logits }: Record<string, Tensor>): { values: Float32Array; width: number } {
  const [rows = 0, labels = 1] = logits?.dims ?? [];
  const data = logits?.data as Float32Array;
  if (labels === 1) return { values: data, width: 1 };
  const values = Float32Array.from({ length: rows }, (_, row) => (data[2 * row + 1] ?? 0) - (data[2 * row] ?? 0));
  return { values, width: 1 };
}
