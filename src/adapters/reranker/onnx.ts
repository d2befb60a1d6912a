import { RaglineError } from "../../errors.ts";
import type { Reranker } from "../../ports/reranker.ts";
import { bestFirst } from "../../statistics.ts";
import { type ModelOverrides, readReranker } from "../onnx/model-files.ts";
import { type OnnxModelOptions, onnxModel } from "../onnx/opened-model.ts";

/**
 * A cross-encoder (a sequence classifier with one label, or two of which the second means relevant) as an ONNX file, run beside
 * this process. Scores are probabilities, 0 to 1. Pairs that are too long are cut, and counted: the query to half of the
 * model's limit, the text to the rest. Missing files: see `createOnnxEmbedder`.
 * @throws RaglineError `config_invalid`: `@huggingface/transformers` is not installed, or the model's files cannot be used.
 */
export function createOnnxReranker(options: OnnxModelOptions & ModelOverrides): Reranker {
  const model = onnxModel("rerank", options, ({ folder }) => readReranker(folder, options));
  const score = async (pairs: readonly (readonly [string, string])[], signal: AbortSignal): Promise<number[]> => {
    const { process, name } = model.open();
    const { values } = await process.run(pairs, signal);
    if (values.length !== pairs.length || !values.every(Number.isFinite)) {
      throw new RaglineError("dependency_failed", `The scores of ${name} cannot be used.`, {
        retryable: false,
        cause: new Error(`${values.length} scores for ${pairs.length} pairs, or one that is not a number`),
      });
    }
    return Array.from(values, (logit) => 1 / (1 + Math.exp(-logit)));
  };
  return {
    get model() {
      const found = model.find();
      return found ? `${found.name}/${found.spec.dtype}` : `${options.model}, missing`;
    },
    get textTokensMax() {
      return model.find()?.spec.maxTokens;
    },
    score: (pairs, { signal }) => (pairs.length === 0 ? Promise.resolve([]) : score(pairs, signal)),
    async rerank(query, texts, { signal }) {
      if (texts.length === 0) return [];
      const scores = await score(
        texts.map((text) => [query, text] as const),
        signal,
      );
      return bestFirst(scores);
    },
    problem: model.problem,
    counts: model.counts,
    warm: ({ signal }) => model.warm(signal),
    close: async () => model.close(),
  };
}
