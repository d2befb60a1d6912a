import type { Document, PassageInput, Scope } from "../../src/types.ts";
import { type BenchPassage, type BenchQuestion, DIMENSIONS, passage, question } from "../search/corpus.ts";

/** The passages of `bench:search`, spread over tenants of unequal sizes; a question is asked in the tenant it was made from. */
export const TENANTS = [0.4, 0.3, 0.2, 0.1] as const;
export const EMBEDDER = { model: "bench", dimensions: DIMENSIONS };
export const LIMIT = 20;
const PASSAGES_PER_DOCUMENT = 100;
const QUESTIONS = 200;
/** Half of the documents are of this year or later. */
export const RECENT = { year: { $gte: 2013 } };

export interface TenantQuestion extends BenchQuestion {
  readonly scope: Scope;
}

export interface TenantDocument {
  readonly scope: Scope;
  readonly document: Document;
  readonly passages: readonly PassageInput[];
}

interface Tenant {
  readonly scope: Scope;
  readonly first: number;
  readonly size: number;
}

export function tenantsOf(size: number): Tenant[] {
  let first = 0;
  return TENANTS.map((share, i) => {
    const tenant = {
      scope: { tenant: `t${i}`, collection: "bench", groups: [] },
      first,
      size: Math.round(size * share),
    };
    first += tenant.size;
    return tenant;
  });
}

/** As many of each tenant as its share; neighbours are of different ones. */
export function questionsOf(size: number): TenantQuestion[] {
  return tenantsOf(size)
    .flatMap(({ scope, first, size: own }, i) => {
      const count = QUESTIONS * (TENANTS[i] ?? 0);
      return Array.from({ length: count }, (_, n) => ({
        at: n / count,
        asked: { ...question(n, own, first), scope },
      }));
    })
    .toSorted((a, b) => a.at - b.at)
    .map(({ asked }) => asked);
}

export function* documentsOf({ scope, first, size }: Tenant): Generator<TenantDocument> {
  for (let from = 0; from < size; from += PASSAGES_PER_DOCUMENT) {
    const own = Array.from({ length: Math.min(PASSAGES_PER_DOCUMENT, size - from) }, (_, i) =>
      passage(first + from + i),
    );
    const { title = "", year = 2000 } = own[0] ?? {};
    yield {
      scope,
      document: { id: `d${from / PASSAGES_PER_DOCUMENT}`, title, hash: "", metadata: { year }, groups: [] },
      passages: own.map(({ text, vector }) => ({ text, headings: [], tokens: 100, vector })),
    };
  }
}

/** For every question the passages that are nearest to it, by comparing it with all. */
export function nearest(size: number, questions: readonly TenantQuestion[]): string[][] {
  const found = new Map<TenantQuestion, string[]>();
  for (const tenant of tenantsOf(size)) {
    const asked = questions.filter(({ scope }) => scope.tenant === tenant.scope.tenant);
    const passages = Array.from({ length: tenant.size }, (_, i) => passage(tenant.first + i));
    for (const one of asked) found.set(one, nearestOf(passages, one.vector));
  }
  return questions.map((one) => found.get(one) ?? []);
}

function nearestOf(passages: readonly BenchPassage[], asked: Float32Array): string[] {
  return passages
    .map(({ vector }, i) => ({ i, cosine: dot(vector, asked) }))
    .toSorted((a, b) => b.cosine - a.cosine)
    .slice(0, LIMIT)
    .map(({ i }) => `d${Math.floor(i / PASSAGES_PER_DOCUMENT)}#${i % PASSAGES_PER_DOCUMENT}`);
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}
