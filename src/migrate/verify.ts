import { blend, coverage, type Leg, scaledText, scaledVector } from "../fusion/blend.ts";
import { type FusionChoice, vectorWeight, weightsFor } from "../fusion/weights.ts";
import { InFlight } from "../in-flight.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { Fusion } from "../ports/fusion-store.ts";
import type { SearchResult } from "../ports/passage-index.ts";
import { nonZero } from "../statistics.ts";
import { createWords, type Words } from "../text/words.ts";
import type { ScoredPassage } from "../types.ts";
import { endsAmidBest, isIdentical, overlap, type Ranking, withTies } from "./agreement.ts";
import type { Calls } from "./calls.ts";
import type { Counts } from "./pass.ts";
import { SAMPLE_MAX, sampledQuestions } from "./questions.ts";
import type { Side } from "./side.ts";

/** Below this, the mean overlap of the ten best passages, answers are not the same. */
export const OVERLAP_MIN = 0.95;
/** Hits a leg, as in a default search; and where chance would decide which ones. */
const LIMIT = 20;
const LIMIT_AMID_TIES = 500;
const SEARCH_TIMEOUT_MS = 60_000;
const SAMPLE_TIMEOUT_MS = 120_000;
const EMBED_TIMEOUT_MS = 120_000;
const EMBED_BATCH = 32;
const SEARCHES_AT_ONCE = 4;

export interface Agreement {
  /** Asked of both and compared. */
  readonly questions: number;
  /** Not compared: hundreds tie with the best, and chance says which ones an engine names. */
  readonly tied: number;
  /** Mean share of the ten best passages that both sides find, 0 to 1; 1 where nothing was asked. */
  readonly overlap: number;
  /** Questions whose ten best are the same in the same order, but for equals. */
  readonly identical: number;
  /** Of the question that they agree least on. */
  readonly worst: { readonly question: string; readonly overlap: number } | null;
}

export interface Verification {
  readonly source: Counts;
  readonly target: Counts;
  readonly agreement: Agreement;
}

export interface VerifyOptions {
  readonly questions: number;
  readonly fusion: FusionChoice;
  onProgress?(asked: number, of: number): void;
}

/** What each side says that it holds, and what both answer to questions that the source's passages make of themselves. */
export async function verify(
  source: Side,
  target: Side,
  embedder: Embedder,
  calls: Calls,
  options: VerifyOptions,
): Promise<Verification> {
  const [ours, theirs] = [await source.status(), await target.status()];
  return {
    source: counts(ours),
    target: counts(theirs),
    agreement: await agree(source, target, embedder, calls, options),
  };
}

async function agree(
  source: Side,
  target: Side,
  embedder: Embedder,
  calls: Calls,
  { questions: wanted, fusion, onProgress }: VerifyOptions,
): Promise<Agreement> {
  const store = source.index.fusion;
  const sample = store
    ? await source.call(SAMPLE_TIMEOUT_MS, (call) => store.sample(source.scope, SAMPLE_MAX, call))
    : [];
  const learned = store ? await source.call(SEARCH_TIMEOUT_MS, (call) => store.load(source.scope, call)) : null;
  const questions = sampledQuestions(sample, wanted);
  const overlaps: { question: string; overlap: number; identical: boolean }[] = [];
  let tied = 0;
  const words = createWords();
  const inFlight = new InFlight({ countMax: SEARCHES_AT_ONCE, weightMax: SEARCHES_AT_ONCE });
  for (let from = 0; from < questions.length; from += EMBED_BATCH) {
    const batch = questions.slice(from, from + EMBED_BATCH);
    const vectors = await calls.run("embed", EMBED_TIMEOUT_MS, (call) => embedder.embed(batch, "query", call));
    for (const [i, question] of batch.entries()) {
      await inFlight.add(1, async () => {
        const asked = { question, vector: vectors[i], fusion, learned, words };
        const rankings = await ask(source, target, asked);
        if (rankings) {
          const [ours, theirs] = rankings;
          overlaps.push({ question, overlap: overlap(ours, theirs), identical: isIdentical(ours, theirs) });
        } else tied++;
        onProgress?.(overlaps.length + tied, questions.length);
      });
    }
  }
  await inFlight.ended();
  const [worst = null] = overlaps.toSorted((a, b) => a.overlap - b.overlap);
  return {
    questions: overlaps.length,
    tied,
    overlap: overlaps.length === 0 ? 1 : overlaps.reduce((sum, { overlap }) => sum + overlap, 0) / overlaps.length,
    identical: overlaps.filter(({ identical }) => identical).length,
    worst: worst && { question: worst.question, overlap: worst.overlap },
  };
}

interface Asked {
  readonly question: string;
  readonly vector: Float32Array | undefined;
  readonly fusion: FusionChoice;
  readonly learned: Fusion | null;
  readonly words: Words;
}

/** Both sides' legs, fused as for an answer, but with everything that ties with what is in them. Null: too much does. */
async function ask(source: Side, target: Side, asked: Asked): Promise<[ours: Ranking, theirs: Ranking] | null> {
  const search = (limit: number) => Promise.all([find(source, asked, limit), find(target, asked, limit)]);
  const isCutAmidBest = (limit: number) =>
    results.some(({ byText, byVector }) => endsAmidBest(byText, limit) || endsAmidBest(byVector, limit));
  let results = await search(LIMIT);
  if (isCutAmidBest(LIMIT)) {
    results = await search(LIMIT_AMID_TIES);
    if (isCutAmidBest(LIMIT_AMID_TIES)) return null;
  }
  return [ranking(results[0], asked), ranking(results[1], asked)];
}

function find(side: Side, asked: Asked, limit: number): Promise<SearchResult> {
  const vector = nonZero(asked.vector);
  const query = { text: asked.question, limit, ...(vector && { vector }) };
  return side.call(SEARCH_TIMEOUT_MS, (call) => side.index.search(side.scope, query, call));
}

/** See `pipeline/fuse.ts`. */
function ranking(result: SearchResult, { question, fusion, learned, words }: Asked): Ranking {
  const [byText, byVector] = [withTies(result.byText, LIMIT), withTies(result.byVector, LIMIT)];
  // Of equal ones the same on both sides.
  const [best] = withTies(byText, 1).toSorted((a, b) => (a.passage.id < b.passage.id ? -1 : 1));
  const covered = best ? coverage(words.ofQuery(question), words.ofPassage(best.passage)) : 0;
  const weight = byVector.length === 0 ? 0 : vectorWeight(weightsFor(fusion, learned, question), covered);
  return blend(scaledText(leg(byText), LIMIT), scaledVector(leg(byVector)), weight);
}

function leg(hits: readonly ScoredPassage[]): Leg<string> {
  return hits.map(({ passage, score }) => [passage.id, score]);
}

function counts({ documents, passages }: Counts): Counts {
  return { documents, passages };
}
