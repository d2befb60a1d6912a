import type { Logger } from "pino";
import type { Stages } from "./pipeline/stages.ts";
import type { CallOptions, Scope } from "./types.ts";

/** Loads a collection's index and the models. An embedder or a reranker that cannot be loaded is logged: answers come without it. */
export async function warm(
  { index, embedder, reranker, model }: Stages,
  scope: Scope,
  call: CallOptions,
  log: Logger,
): Promise<void> {
  const models = [embedder, reranker].map(async (one) => {
    await one?.warm?.(call).catch((err: unknown) => log.error({ err }, "a model cannot be loaded"));
  });
  await Promise.all([index.warm?.(scope, call), model.warm?.(call), ...models]);
}
