import type { Readiness, Status } from "./api.ts";
import type { Config } from "./config.ts";
import { RaglineError, toRaglineError } from "./errors.ts";
import { fusionStatus } from "./fusion/describe.ts";
import type { Stages } from "./pipeline/stages.ts";
import type { Run } from "./run.ts";
import { type DocumentEntry, GROUPS_MAX, type Scope, type Step } from "./types.ts";
import { VERSION } from "./version.ts";

/** What a collection holds, and what every step is done with. */
export async function statusOf(
  config: Config,
  stages: Stages,
  scope: Scope,
  run: Run,
): Promise<Omit<Status, "saves" | "endpoints">> {
  const { embedder, index, reranker, model, counter, settings } = stages;
  const missing: string[] = [];
  const { indexed, learned } = await run
    .must("search", async (call) => ({
      indexed: await index.status(scope, call),
      learned: await index.fusion?.load(scope, call),
    }))
    .catch((thrown: unknown) => {
      const error = toRaglineError(thrown);
      if (error.code === "config_invalid" || error.status < 500) throw error;
      missing.push(lineOf(error));
      return { indexed: null, learned: null };
    });
  const { tenant, collection } = scope;
  return {
    version: VERSION,
    tenant,
    collection,
    documents: indexed?.documents ?? null,
    passages: indexed?.passages ?? null,
    missing,
    indexedWith: indexed?.embedder ?? null,
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

/** A line of what is missing, and the cause, where something failed. */
interface Missing {
  readonly line: string;
  readonly cause?: unknown;
}

export interface Readers {
  readonly groups: readonly string[];
  /** Others may have documents: other tenants than the configured one, or more groups than are looked for at once. */
  readonly mayBeEmpty: boolean;
}

/** Whose documents may be asked about over HTTP. */
export function readersOf({ tenant: own, server }: Config): Readers {
  const callers = server.callers ?? [];
  const groups = new Set(callers.flatMap((caller) => caller.groups));
  const isMany = groups.size > GROUPS_MAX;
  return {
    groups: isMany ? [] : [...groups],
    mayBeEmpty: isMany || callers.some(({ tenant = own, forOthers }) => forOthers || tenant !== own),
  };
}

/**
 * What keeps questions of this scope from being answered, and what they are answered without. `mayBeEmpty`: other tenants may have documents.
 * `onMissing`: see `Ragline.ready`.
 */
export async function readiness(
  stages: Stages,
  scope: Scope,
  run: Run,
  { isWarming, mayBeEmpty }: { readonly isWarming: boolean; readonly mayBeEmpty: boolean },
  onMissing?: (line: string, cause: unknown) => void,
): Promise<Readiness> {
  const { embedder, reranker, sessions } = stages;
  const optional = [embedder.problem?.(), reranker?.problem?.()].filter((one) => typeof one === "string");
  const unsaved = sessions.problem?.();
  const missing: Missing[] = [
    ...(isWarming ? optional.map((line) => ({ line })) : []),
    ...(await missingFor(stages, scope, mayBeEmpty, run)),
  ];
  for (const { line, cause } of missing) onMissing?.(line, cause);
  return {
    ready: missing.length === 0,
    missing: missing.map(({ line }) => line),
    degraded: [...(isWarming ? [] : optional), ...(unsaved ? [`save: ${unsaved}`] : [])],
  };
}

async function missingFor(
  { index, sessions, embedder, model }: Stages,
  scope: Scope,
  mayBeEmpty: boolean,
  run: Run,
): Promise<Missing[]> {
  const lacking = model.missing?.();
  const searching = async (): Promise<Missing[]> => {
    await run.must("search", (call) => index.search(scope, { text: "ready", limit: 1 }, call));
    const { documents, embedder: indexedWith } = await run.must("search", (call) => index.status(scope, call));
    const isKnown = embedder.dimensions > 0;
    return [
      ...(documents === 0 && !mayBeEmpty
        ? [{ line: "search: no documents are indexed; run `ragline index <path>`" }]
        : []),
      ...(indexedWith !== null && isKnown && indexedWith !== embedder.model
        ? [{ line: `embed: the index was made with ${indexedWith}, configured is ${embedder.model}` }]
        : []),
    ];
  };
  const remembering = async (): Promise<Missing[]> => {
    await run.must("session", async (call) => {
      await (sessions.probe ? sessions.probe(scope, call) : sessions.load(scope, "ready", 1, call));
    });
    return [];
  };
  const failed = (thrown: unknown): Missing[] => [
    { line: lineOf(thrown), cause: thrown instanceof RaglineError ? thrown.cause : thrown },
  ];
  const found = await Promise.all([searching().catch(failed), remembering().catch(failed)]);
  return [...(lacking ? [{ line: `generate: ${lacking}` }] : []), ...found.flat()];
}

function lineOf(thrown: unknown): string {
  return thrown instanceof RaglineError ? `${thrown.step ?? "internal"}: ${thrown.message}` : "internal";
}

/** Where files lie on this machine is nobody's business. */
export function withoutSource({ source: _, ...entry }: DocumentEntry): DocumentEntry {
  return entry;
}
