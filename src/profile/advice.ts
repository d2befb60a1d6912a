import type { Step } from "../types.ts";

/** What to do about a stage, by what it is short of. Steps that are no model's have the same advice for both. */
export interface Advice {
  readonly throughput: string;
  readonly firstText: string;
}

const PROCESS_ADVICE: Advice = {
  throughput: "run several instances of Ragline on one Redis (session: { use: redis }), or move in-process models out",
  firstText: "take a CPU profile (node --cpu-prof) before anything else",
};

const ADVICE: Partial<Record<Step, Advice>> = {
  embed: {
    throughput:
      "cache vectors of questions (embed.cacheMb), batch (use: onnx and endpoints with a batch window do), then replicate: extract it to a process of its own",
    firstText: "a smaller model, or a cache of vectors (embed.cacheMb); nothing else can begin before it",
  },
  search: {
    throughput:
      "fewer passages a collection, or an index on another machine (search: { use: postgres }, opensearch, milvus)",
    firstText: "fewer passages a collection, or a narrower filter",
  },
  rerank: {
    throughput:
      "rerank fewer passages (search.top), cache answers, then replicate: extract it and give it more slots or a GPU",
    firstText:
      "rerank fewer passages (search.top), a smaller model, or none (rerank: { use: none }) where the evaluation allows it",
  },
  generate: {
    throughput:
      "cache answers (cache), shorten answers and prompts (prompt.expectedOutputTokens, rerank.keep), then replicate the model server",
    firstText:
      "a shorter prompt (rerank.keep, prompt.preRotTokens), prefix caching at the model server, or a faster model",
  },
  session: {
    throughput: "a faster disk, or Redis (session: { use: redis })",
    firstText: "a faster disk, or Redis nearby; fewer turns loaded (session.turns)",
  },
  rewrite: {
    throughput: "rewrite by rules (rewrite: { use: rules })",
    firstText: "rewrite by rules (rewrite: { use: rules }), or a smaller model for it",
  },
  save: { throughput: "a faster disk, or Redis (session: { use: redis })", firstText: "a faster disk" },
};

export function adviceFor(part: Step | "process"): Advice {
  if (part === "process") return PROCESS_ADVICE;
  const fallback = "look at its spans (ask --timings, or traces)";
  return ADVICE[part] ?? { throughput: fallback, firstText: fallback };
}
