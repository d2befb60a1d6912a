import { createRequire } from "node:module";
import { RaglineError } from "../../errors.ts";
import { type LocatedModel, locateModel } from "../../hub/cache.ts";
import type { ModelCounts, Step } from "../../types.ts";
import type { ModelSpec } from "./model-files.ts";
import { ModelProcess } from "./model-process.ts";

export interface OnnxModelOptions {
  /** A folder, or a name on the hub. */
  readonly model: string;
  /** The hub clients' cache. */
  readonly cacheFolder: string;
  readonly batchTimeoutMs: number;
}

export interface OpenedModel<Spec extends ModelSpec> {
  readonly spec: Spec;
  readonly name: string;
  readonly process: ModelProcess;
}

/** A model that may not be there yet: it is looked for again whenever it is needed, so that fetching it needs no restart. */
export interface OnnxModel<Spec extends ModelSpec> {
  find(): OpenedModel<Spec> | null;
  /** @throws RaglineError `dependency_failed`: it is missing; the message says how to get it. */
  open(): OpenedModel<Spec>;
  problem(): string | null;
  counts(): ModelCounts;
  warm(signal: AbortSignal): Promise<void>;
  close(): void;
}

const PACKAGE = "@huggingface/transformers";
const NOTHING: ModelCounts = { batches: 0, inputs: 0, tokens: 0, cut: 0, starts: 0 };

/** @throws RaglineError `config_invalid`: the package is not installed, or the model's files cannot be used. */
export function onnxModel<Spec extends ModelSpec>(
  step: Step,
  options: OnnxModelOptions,
  read: (located: LocatedModel) => Spec,
): OnnxModel<Spec> {
  requirePackage(step);
  const { model, cacheFolder, batchTimeoutMs } = options;
  let opened: OpenedModel<Spec> | null = null;
  const find = () => {
    const located = opened ? null : locateModel(model, cacheFolder);
    if (located) {
      const { name } = located;
      const spec = read(located);
      opened = { spec, name, process: new ModelProcess(spec, { name, batchTimeoutMs }) };
    }
    return opened;
  };
  const missing = `${step}.model: ${model} is no folder with a model, and not in the hub's cache: \`ragline models pull ${model}\` fetches it`;
  const open = () => {
    const found = find();
    if (!found) throw new RaglineError("dependency_failed", missing, { step, retryable: false });
    return found;
  };
  find();
  return {
    find,
    open,
    problem: () => {
      const found = find();
      return found ? found.process.problem() : missing;
    },
    counts: () => opened?.process.counts() ?? NOTHING,
    warm: async (signal) => open().process.start(signal),
    close: () => opened?.process.close(),
  };
}

function requirePackage(step: Step): void {
  try {
    createRequire(import.meta.url).resolve(PACKAGE);
  } catch (cause) {
    const hint = `npm install ${PACKAGE}@4 --onnxruntime-node-install=skip`;
    throw new RaglineError("config_invalid", `${step}.use: onnx needs its runtime: ${hint}`, { cause });
  }
}
