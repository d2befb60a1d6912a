import { createHash } from "node:crypto";
import type { Config } from "../config.ts";
import type { Settings } from "../pipeline/stages.ts";
import { VERSION } from "../version.ts";

export function settings(config: Config, version = VERSION): Settings {
  const { session, rewrite, cache, embed, search, rerank, prompt, generate, save, compact, server } = config;
  const limitsMs = {
    session: session.timeoutMs,
    embed: embed.timeoutMs,
    search: search.timeoutMs,
    save: save.timeoutMs,
    compact: compact.timeoutMs,
    ...(rewrite.use === "model" && { rewrite: rewrite.timeoutMs }),
    ...(rerank.use !== "none" && { rerank: rerank.timeoutMs }),
    ...(cache.use !== "none" && { cache: cache.timeoutMs }),
  };
  return {
    limitsMs,
    timeoutMs: server.timeoutMs,
    generateLimits: {
      firstItemMs: generate.firstTokenTimeoutMs,
      silenceMs: generate.silenceTimeoutMs,
    },
    rawTurns: session.turns,
    leaseMs: session.leaseMs,
    rewriteFollowUps: rewrite.use !== "none",
    rewriteByModel: rewrite.use === "model",
    cacheServes: cache.use !== "none" && cache.mode === "on",
    top: search.top,
    keep: rerank.keep,
    fusion:
      search.fusion === "learned" ? "learned" : { uncovered: search.vectorWeight, covered: search.vectorWeightCovered },
    preRotTokens: prompt.preRotTokens,
    expectedOutputTokens: prompt.expectedOutputTokens,
    system: prompt.system ?? null,
    summarizeByModel: compact.summary === "model",
    compactStartRatio: compact.startRatio,
    compactTargetRatio: compact.targetRatio,
    fingerprint: fingerprint({ version, rewrite, embed, search, rerank, prompt, generate }),
  };
}

function fingerprint(part: unknown): string {
  return createHash("sha256").update(JSON.stringify(part, modelByName)).digest("hex");
}

/** A model object of the AI SDK, which may hold anything, by its name. */
function modelByName(_: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("specificationVersion" in value)) return value;
  const { provider, modelId } = value as { readonly provider?: unknown; readonly modelId?: unknown };
  return [provider, modelId];
}
