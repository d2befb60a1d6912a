/** ONNX files are named by how their numbers are stored; the names are those of `@huggingface/transformers`. */
export const DTYPES = ["q8", "fp32", "int8", "uint8", "q4", "fp16", "q4f16", "bnb4"] as const;
export type Dtype = (typeof DTYPES)[number];

/** How one vector is made of those of a text's tokens. */
export const POOLINGS = ["mean", "cls", "max", "last"] as const;
export type Pooling = (typeof POOLINGS)[number];

const SUFFIXES: Readonly<Record<Dtype, string>> = {
  q8: "_quantized",
  fp32: "",
  int8: "_int8",
  uint8: "_uint8",
  q4: "_q4",
  fp16: "_fp16",
  q4f16: "_q4f16",
  bnb4: "_bnb4",
};

export function onnxFile(dtype: Dtype): string {
  return `onnx/model${SUFFIXES[dtype]}.onnx`;
}

/** The dtype asked for, or the first of `DTYPES`, that is among a model's files; null: none is. */
export function chooseDtype(asked: Dtype | undefined, has: (file: string) => boolean): Dtype | null {
  return (asked ? [asked] : DTYPES).find((dtype) => has(onnxFile(dtype))) ?? null;
}

/** What a model's tokenizer, pooling and prompts are read from. */
const CONFIGURATION =
  /^(?:config|tokenizer|tokenizer_config|special_tokens_map|modules|config_sentence_transformers|sentence_bert_config|\d+_\w+\/config)\.json$/;

/** Whether a repository's file is needed to run its model in this dtype. Large models keep weights beside the ONNX file. */
export function isNeeded(path: string, dtype: Dtype): boolean {
  const onnx = onnxFile(dtype);
  return CONFIGURATION.test(path) || path === onnx || path.startsWith(`${onnx}_data`);
}
