import type { Logger } from "pino";
import { RaglineError } from "./errors.ts";
import type { Stages } from "./pipeline/stages.ts";
import type { CallOptions, Scope } from "./types.ts";

/**
 * Loads a collection's index and the models. An embedder or a reranker that cannot be loaded is logged: answers come without it. So is
 * an answering model that is away and may come back; until then questions fail, and say so.
 */
export async function warm(
  { index, embedder, reranker, model }: Stages,
  scope: Scope,
  call: CallOptions,
  log: Logger,
): Promise<void> {
  const models = [embedder, reranker].map(async (one) => {
    await one?.warm?.(call).catch((err: unknown) => log.error({ err }, "a model cannot be loaded"));
  });
  const answering = async () => {
    await model.warm?.(call).catch((err: unknown) => {
      if (!(err instanceof RaglineError && err.code === "dependency_failed" && err.retryable)) throw err;
      log.error({ err }, "the answering model cannot be reached");
    });
  };
  await Promise.all([index.warm?.(scope, call), answering(), ...models]);
}
