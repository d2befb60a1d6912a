import type { Status } from "./api.ts";
import type { Config } from "./config.ts";
import { RaglineError } from "./errors.ts";
import { fusionStatus } from "./fusion/describe.ts";
import type { Stages } from "./pipeline/stages.ts";
import type { Run } from "./run.ts";
import type { DocumentEntry, Scope, Step } from "./types.ts";

export const VERSION = "0.1.0";

/** What a collection holds, and what every step is done with. */
export async function statusOf(
  config: Config,
  stages: Stages,
  scope: Scope,
  run: Run,
): Promise<Omit<Status, "saves" | "endpoints">> {
  const { embedder, index, reranker, model, counter, settings } = stages;
  const { documents, passages, embedder: indexedWith } = await run.must("search", (call) => index.status(scope, call));
  const learned = await run.must("search", async (call) => index.fusion?.load(scope, call));
  const { tenant, collection } = scope;
  return {
    version: VERSION,
    tenant,
    collection,
    documents,
    passages,
    indexedWith,
    fusion: fusionStatus(settings.fusion, learned ?? null),
    stages: {
      session: config.session.use,
      // A model that follows no instructions rewrites nothing.
      rewrite: config.rewrite.use === "model" && !stages.instructed ? "rules" : config.rewrite.use,
      cache: config.cache.use === "none" ? "none" : `${config.cache.use}, ${config.cache.mode}`,
      embed: embedder.model,
      search: config.search.use,
      rerank: reranker?.model ?? "none",
      prompt: `counted by ${counter.name}`,
      generate: model.model,
    },
    emulated: emulatedSteps(stages),
    tokens: { model: model.model, counter: counter.name, corrections: counter.corrections?.() ?? [] },
    models: {
      ...(embedder.counts && { embed: embedder.counts() }),
      ...(reranker?.counts && { rerank: reranker.counts() }),
    },
  };
}

/** Steps whose times are drawn by `use: simulated`, here or behind a remote stage: models say so by their names. */
export function emulatedSteps({ embedder, reranker, model }: Stages): Step[] {
  const names = { embed: embedder.model, rerank: reranker?.model ?? "", generate: model.model };
  return (["embed", "rerank", "generate"] as const).filter((step) => names[step].startsWith("simulated"));
}

/** What keeps questions of this scope from being answered; empty: nothing. */
export async function missingFor(
  { index, sessions, embedder, reranker, model }: Stages,
  scope: Scope,
  run: Run,
): Promise<string[]> {
  const missing = [embedder.problem?.(), reranker?.problem?.()].filter((one) => typeof one === "string");
  const lacking = model.missing?.();
  if (lacking) missing.push(`generate: ${lacking}`);
  try {
    await run.must("search", (call) => index.search(scope, { text: "ready", limit: 1 }, call));
    await run.must("session", (call) => sessions.load(scope, "ready", 1, call));
    const { documents, embedder: indexedWith } = await run.must("search", (call) => index.status(scope, call));
    if (documents === 0) missing.push("search: no documents are indexed; run `ragline index <path>`");
    const isKnown = embedder.dimensions > 0;
    if (indexedWith !== null && isKnown && indexedWith !== embedder.model) {
      missing.push(`embed: the index was made with ${indexedWith}, configured is ${embedder.model}`);
    }
  } catch (thrown) {
    missing.push(thrown instanceof RaglineError ? `${thrown.step ?? "internal"}: ${thrown.message}` : "internal");
  }
  return missing;
}

/** Where files lie on this machine is nobody's business. */
export function withoutSource({ source: _, ...entry }: DocumentEntry): DocumentEntry {
  return entry;
}
