import type { Logger } from "pino";
import { RaglineError } from "./errors.ts";
import type { Stages } from "./pipeline/stages.ts";
import type { CallOptions, Scope } from "./types.ts";

/** An index that is away is waited for so long. */
const REACHED_MS = 10_000;

/**
 * Loads a collection's index and the models. An embedder or a reranker that cannot be loaded is logged: answers come without it. So is
 * an index or an answering model that is away and may come back; until then questions fail, and say so.
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
  const orLater = async (what: string, loading: Promise<void> | undefined) => {
    await loading?.catch((err: unknown) => {
      if (!mayComeBack(err)) throw err;
      log.error({ err }, `${what} cannot be reached`);
    });
  };
  const inTime = { ...call, deadline: performance.now() + REACHED_MS };
  const searching = orLater("the index", index.warm?.(scope, inTime));
  await Promise.all([searching, orLater("the answering model", model.warm?.(call)), ...models]);
}

function mayComeBack(thrown: unknown): boolean {
  return thrown instanceof RaglineError && thrown.retryable && /^dependency_(failed|timeout)$/.test(thrown.code);
}
