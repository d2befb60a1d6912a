import { createHash } from "node:crypto";
import { RaglineError } from "../../errors.ts";
import type { Embedder } from "../../ports/embedder.ts";
import { type EmbedderFiles, type ModelOverrides, readEmbedder } from "../onnx/model-files.ts";
import { type OnnxModelOptions, onnxModel } from "../onnx/opened-model.ts";

/**
 * A sentence embedder as an ONNX file, run beside this process. Pooling, prompts and the longest input are what its folder
 * says; longer texts are cut, and counted. Vectors of int8 files depend a little on what a text is batched with (cosine 0.98
 * and up). Where the files are missing, calls fail and `problem` says how to get them; they are looked for again each time.
 * @throws RaglineError `config_invalid`: `@huggingface/transformers` is not installed, or the model's files cannot be used.
 */
export function createOnnxEmbedder(options: OnnxModelOptions & ModelOverrides): Embedder {
  const model = onnxModel("embed", options, ({ folder, name }) => readEmbedder(folder, name, options));
  return {
    get model() {
      const found = model.find();
      return found ? spaceName(found.name, found.spec, options) : `${options.model}, missing`;
    },
    get dimensions() {
      return model.find()?.spec.dimensions ?? 0;
    },
    get textTokensMax() {
      return model.find()?.spec.maxTokens;
    },
    async embed(texts, kind, { signal }) {
      if (texts.length === 0) return [];
      const { spec, process, name } = model.open();
      const prefix = kind === "query" ? spec.queryPrefix : spec.passagePrefix;
      const inputs = texts.map((text) => prefix + text);
      const { values, width } = await process.run(inputs, signal);
      if (width !== spec.dimensions || values.length !== texts.length * width) {
        throw unusable(name, `${values.length} values, ${width} a vector, for ${texts.length} texts`);
      }
      return texts.map((_, i) => {
        const vector = values.slice(i * width, (i + 1) * width);
        if (!Number.isFinite(vector.reduce((sum, value) => sum + value, 0))) throw unusable(name, "not a number");
        return vector;
      });
    },
    problem: model.problem,
    counts: model.counts,
    warm: ({ signal }) => model.warm(signal),
    close: async () => model.close(),
  };
}

/** Name, file and length; and, where the configuration overrides what changes vectors, a hash of that. */
function spaceName(name: string, spec: EmbedderFiles, overrides: ModelOverrides): string {
  const { pooling, queryPrefix, passagePrefix, maxTokens } = overrides;
  const base = `${name}/${spec.dtype}/${spec.dimensions}`;
  const changes = JSON.stringify({ pooling, queryPrefix, passagePrefix, maxTokens });
  return changes === "{}" ? base : `${base}/${createHash("sha256").update(changes).digest("hex").slice(0, 8)}`;
}

function unusable(name: string, reason: string): RaglineError {
  return new RaglineError("dependency_failed", `The vectors of ${name} cannot be used.`, {
    retryable: false,
    cause: new Error(reason),
  });
}
