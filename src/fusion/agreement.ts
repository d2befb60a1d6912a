import type { Embedder } from "../ports/embedder.ts";
import type { CallOptions } from "../types.ts";
import { PARALLEL } from "./parallel.ts";

/** How far an embedder brings Korean and English together: the share of sentences that find their own translation first, 0 to 1. */
export async function languageAgreement(embedder: Embedder, call: CallOptions): Promise<number> {
  const korean = PARALLEL.map(([ko]) => ko);
  const english = PARALLEL.map(([, en]) => en);
  const [koQueries, koPassages] = await bothKinds(embedder, korean, call);
  const [enQueries, enPassages] = await bothKinds(embedder, english, call);
  return (foundFirst(koQueries, enPassages) + foundFirst(enQueries, koPassages)) / 2;
}

async function bothKinds(
  embedder: Embedder,
  texts: readonly string[],
  call: CallOptions,
): Promise<[queries: Float32Array[], passages: Float32Array[]]> {
  return [await embedder.embed(texts, "query", call), await embedder.embed(texts, "passage", call)];
}

/** The share of queries whose own passage is nearer than every other. */
function foundFirst(queries: readonly Float32Array[], passages: readonly Float32Array[]): number {
  const found = queries.filter((query, own) => {
    const cosines = passages.map((passage) => passage.reduce((sum, value, i) => sum + value * (query[i] ?? 0), 0));
    const nearest = cosines[own] ?? 0;
    return cosines.every((cosine, i) => i === own || cosine < nearest);
  });
  return found.length / Math.max(1, queries.length);
}
