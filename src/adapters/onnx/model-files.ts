import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { RaglineError } from "../../errors.ts";
import { chooseDtype, type Dtype, onnxFile, POOLINGS, type Pooling } from "../../hub/files.ts";

/** What the child process needs to run a model. */
export interface ModelSpec {
  readonly task: "embed" | "rerank";
  readonly folder: string;
  readonly dtype: Dtype;
  /** The longest input, special tokens included. */
  readonly maxTokens: number;
  readonly pooling: Pooling;
  /** Threads inside one operation. */
  readonly threads: number;
}

export interface ModelOverrides {
  readonly dtype?: Dtype | undefined;
  readonly maxTokens?: number | undefined;
  readonly pooling?: Pooling | undefined;
  readonly queryPrefix?: string | undefined;
  readonly passagePrefix?: string | undefined;
  readonly threads: number;
}

export interface EmbedderFiles extends ModelSpec {
  readonly dimensions: number;
  readonly queryPrefix: string;
  readonly passagePrefix: string;
}

const config = z.object({
  model_type: z.string().default(""),
  _name_or_path: z.string().default(""),
  hidden_size: z.int().optional(),
  dim: z.int().optional(),
  max_position_embeddings: z.int().optional(),
  id2label: z.record(z.string(), z.string()).optional(),
});
const tokenizerConfig = z.object({ model_max_length: z.number().optional() });
const sentenceConfig = z.object({ max_seq_length: z.int().nullish() });
const modules = z.array(z.object({ path: z.string(), type: z.string() }));
const pooling = z.looseObject({ include_prompt: z.boolean().default(true) });
const prompts = z.object({
  prompts: z.record(z.string(), z.string()).default({}),
  default_prompt_name: z.string().nullish(),
});

const MODES: Readonly<Record<string, Pooling>> = {
  pooling_mode_mean_tokens: "mean",
  // The same direction as the mean, and vectors are brought to unit length.
  pooling_mode_mean_sqrt_len_tokens: "mean",
  pooling_mode_cls_token: "cls",
  pooling_mode_max_tokens: "max",
  pooling_mode_lasttoken: "last",
};

interface Family {
  readonly name: RegExp;
  readonly pooling: Pooling;
  readonly query: string;
  readonly passage: string;
}

const SEARCHING = "Represent this sentence for searching relevant passages: ";

/** What the model cards of families say whose files say nothing of it, as most conversions' do not. */
const FAMILIES: readonly Family[] = [
  {
    name: /(^|\W)(multilingual-)?e5-(small|base|large)(?!.*instruct)/,
    pooling: "mean",
    query: "query: ",
    passage: "passage: ",
  },
  { name: /(^|\W)bge-(small|base|large)-en/, pooling: "cls", query: SEARCHING, passage: "" },
  { name: /(^|\W)snowflake-arctic-embed/, pooling: "cls", query: SEARCHING, passage: "" },
  { name: /(^|\W)nomic-embed-text/, pooling: "mean", query: "search_query: ", passage: "search_document: " },
];

/** The first two positions of these are never used. */
const TWO_POSITIONS_LESS = new Set(["roberta", "xlm-roberta", "camembert", "mpnet"]);

/**
 * Reads what a sentence-transformers folder says of itself: pooling, prompts, longest input; overrides go before.
 * @throws RaglineError `config_invalid`: it lacks a file, or asks for what is not supported; the message says what.
 */
export function readEmbedder(folder: string, name: string, overrides: ModelOverrides): EmbedderFiles {
  const base = readModel(folder, overrides);
  const { hidden_size, dim, _name_or_path } = base.config;
  const dimensions = hidden_size ?? dim;
  if (dimensions === undefined) throw invalid(folder, "config.json names no hidden_size");
  const parts = readJson(folder, "modules.json", modules) ?? [];
  if (parts.some(({ type }) => /\.Dense$/.test(type))) {
    throw invalid(folder, "its modules.json has a Dense layer, which is not supported");
  }
  const family = FAMILIES.find((one) => one.name.test(`${name} ${_name_or_path}`));
  const said = readJson(folder, "config_sentence_transformers.json", prompts);
  const byDefault = said?.prompts[said.default_prompt_name ?? ""];
  const poolingFolder = parts.find(({ type }) => /\.Pooling$/.test(type))?.path ?? "1_Pooling";
  return {
    ...base.spec,
    task: "embed",
    dimensions,
    pooling: overrides.pooling ?? readPooling(folder, `${poolingFolder}/config.json`) ?? family?.pooling ?? "mean",
    queryPrefix: overrides.queryPrefix ?? said?.prompts.query ?? byDefault ?? family?.query ?? "",
    passagePrefix:
      overrides.passagePrefix ?? said?.prompts.document ?? said?.prompts.passage ?? byDefault ?? family?.passage ?? "",
  };
}

/** @throws RaglineError `config_invalid`, as `readEmbedder`; or the model scores more than relevance. */
export function readReranker(folder: string, overrides: ModelOverrides): ModelSpec {
  const { spec, config } = readModel(folder, overrides);
  const labels = Object.keys(config.id2label ?? { 0: "LABEL_0" }).length;
  if (labels > 2) throw invalid(folder, `config.json names ${labels} labels: not a model that scores relevance`);
  return { ...spec, task: "rerank", pooling: "cls" };
}

function readModel(folder: string, overrides: ModelOverrides) {
  const found = readJson(folder, "config.json", config);
  if (!found) throw invalid(folder, "it has no config.json");
  if (!existsSync(join(folder, "tokenizer.json"))) throw invalid(folder, "it has no tokenizer.json");
  const dtype = chooseDtype(overrides.dtype, (file) => existsSync(join(folder, file)));
  if (dtype === null) {
    const wanted = overrides.dtype ? onnxFile(overrides.dtype) : "onnx/model*.onnx";
    throw invalid(folder, `it has no ${wanted}; \`dtype\` names another of its files`);
  }
  const maxTokens = overrides.maxTokens ?? longestInput(folder, found);
  return { config: found, spec: { folder, dtype, maxTokens, threads: overrides.threads } };
}

function longestInput(folder: string, { model_type, max_position_embeddings }: z.output<typeof config>): number {
  const positions = max_position_embeddings ?? 512;
  const limits = [
    readJson(folder, "sentence_bert_config.json", sentenceConfig)?.max_seq_length,
    readJson(folder, "tokenizer_config.json", tokenizerConfig)?.model_max_length,
    TWO_POSITIONS_LESS.has(model_type) ? positions - 2 : positions,
  ];
  return Math.min(...limits.filter((limit) => typeof limit === "number" && limit > 0).map(Number));
}

function readPooling(folder: string, file: string): Pooling | null {
  const found = readJson(folder, file, pooling);
  if (!found) return null;
  const modes = Object.keys(found).filter((key) => key.startsWith("pooling_mode_") && found[key] === true);
  const mode = MODES[modes[0] ?? ""];
  if (modes.length !== 1 || !mode || !found.include_prompt) {
    throw invalid(
      folder,
      `${file}: pools in a way that is not supported; \`pooling\` sets one of ${POOLINGS.join(", ")}`,
    );
  }
  return mode;
}

/** Null where there is no such file. */
function readJson<S extends z.ZodType>(folder: string, file: string, schema: S): z.output<S> | null {
  const path = join(folder, file);
  if (!existsSync(path)) return null;
  try {
    return schema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    throw invalid(folder, `${file} is not what it should be`, cause);
  }
}

function invalid(folder: string, reason: string, cause?: unknown): RaglineError {
  return new RaglineError("config_invalid", `model in ${folder}: ${reason}`, { cause });
}
