import { z } from "zod";
import { DTYPES, POOLINGS } from "../hub/files.ts";
import { count, httpBase, milliseconds, token } from "./fields.ts";

/** Models that run beside the process. */
export const onnx = {
  model: z
    .string()
    .min(1)
    .describe(
      "A folder, or a name on the hub, which `ragline models pull` fetches; without an owner it is one of Xenova's.",
    ),
  dtype: z
    .enum(DTYPES)
    .optional()
    .describe("Which of the model's ONNX files; default: the first of these that is there."),
  maxTokens: z.int().min(16).max(32_768).optional().describe("Longest input; default: what the model's files say."),
  threads: z
    .int()
    .min(0)
    .max(256)
    .default(0)
    .describe("Of the model's process. 0: one less than the machine's cores, at most 4."),
  batchTokensMax: count(
    512,
    1_000_000,
    "Tokens that run together: more is no faster on a CPU, and questions wait longer.",
  ),
  queueMax: count(256, 100_000, "Texts of questions that may wait; further ones are refused with `overloaded`."),
  batchTimeoutMs: milliseconds(30_000, "Limit for a batch; after it the process is ended and started again."),
};

/** Of embedders besides. */
export const onnxEmbedding = {
  pooling: z.enum(POOLINGS).optional().describe("Default: what the model's files say, else `mean`."),
  queryPrefix: z.string().max(1000).optional().describe("Put before questions; default: what the model's files say."),
  passagePrefix: z.string().max(1000).optional().describe("Put before passages; default: what the model's files say."),
};

/** Where they come from. */
export const models = z.strictObject({
  cacheFolder: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Where `ragline models pull` puts models. Default: `HF_HUB_CACHE`, `HF_HOME`/hub, or ~/.cache/huggingface/hub.",
    ),
  endpoint: httpBase
    .default("https://huggingface.co")
    .describe("The hub, or a mirror of it. Default: `HF_ENDPOINT`, if set."),
  token: token.optional().describe("For private models. Default: `HF_TOKEN`, if set."),
  download: z.boolean().default(false).describe("Fetch missing models at the start, before anything is answered."),
});
