import type { Embedder } from "../ports/embedder.ts";
import type { Fusion, StoredPassage } from "../ports/fusion-store.ts";
import { Partition, type ResidentPassage, type RowHit } from "../resident/partition.ts";
import { nonZero } from "../statistics.ts";
import { createWords, type Words } from "../text/words.ts";
import type { CallOptions } from "../types.ts";
import { languageAgreement } from "./agreement.ts";
import { coverage, type Leg, scaledText, scaledVector } from "./blend.ts";
import { type Trial, weightsByLanguage } from "./choose.ts";
import {
  headingOf,
  headingQuestions,
  type MadeQuestion,
  reducedText,
  type SentenceQuestion,
  sentenceQuestions,
  thinned,
} from "./questions.ts";
import { LEARNER_VERSION } from "./weights.ts";

/** Passages that the questions are asked of, at most. */
export const SAMPLE_MAX = 1024;
/** Hits a leg: as many as a default search has. */
const LIMIT = 20;
const EMBED_BATCH = 32;
/** Passages taken into the index, and questions asked, between two breaths. */
const STRIDE = 8;

export interface LearnOptions extends CallOptions {
  /** Passages in all that was sampled. */
  readonly passages: number;
  /** Called often; lets others have the event loop. */
  readonly breathe: () => Promise<void> | undefined;
}

/**
 * Learns how to fuse the legs from questions that a sample of the collection makes of itself: a sentence should find the passage
 * that it was taken out of (content in other words), also with fewer of the passage's words, a title or heading the passages below it (words known). Needs no
 * labels, calls nothing but the embedder, for at most 128 + 2 · 128 questions and 128 passages, and gives the same for the same
 * sample. With the static table 0.25 to 0.38 s for a full sample, the event loop being kept for 35 ms at a time at most (law
 * articles and abstracts, 1,024 of 4,000 and 5,000).
 */
export async function learnFusion(
  sample: readonly StoredPassage[],
  embedder: Embedder,
  { passages, breathe, signal }: LearnOptions,
): Promise<Fusion> {
  const partition = new Partition();
  for (let from = 0; from < sample.length; from += STRIDE) {
    const added = sample.slice(from, from + STRIDE).map((passage, i) => resident(passage, from + i));
    partition.apply({ removedDocuments: [], added });
    await pause(breathe, signal);
  }
  const bench: Bench = { partition, shown: [...sample], words: createWords(), breathe, signal };
  const headings = headingQuestions(sample);
  const known = await trials(bench, headings, await embedAll(embedder, headings, "query", signal), isBelow);

  const sentences = sentenceQuestions(sample);
  const reduced = await embedAll(embedder, sentences.map(reducedText), "passage", signal);
  for (const [i, { place, reduced: rest }] of sentences.entries()) {
    const passage = { ...rest, vector: nonZero(reduced[i]) };
    bench.shown[place] = passage;
    partition.apply({
      removedDocuments: [place],
      added: [{ ...resident(passage, place), row: sample.length + place }],
    });
    if (i % STRIDE === 0) await pause(breathe, signal);
  }
  const questions = [...sentences, ...thinned(sentences)];
  const content = await trials(bench, questions, await embedAll(embedder, questions, "query", signal), isOwn);
  const agreement = await languageAgreement(embedder, { signal });
  return {
    version: LEARNER_VERSION,
    embedder: embedder.model,
    passages,
    weights: await weightsByLanguage({ known, content }, sample, agreement, () => pause(breathe, signal)),
  };
}

/** The sample under test. `shown` is each passage as it now stands in the index. */
interface Bench {
  readonly partition: Partition;
  readonly shown: StoredPassage[];
  readonly words: Words;
  readonly breathe: () => Promise<void> | undefined;
  readonly signal: AbortSignal;
}

/** 1: the passage is what was asked for; 0: it is not; null: it does not count. */
type Judge<Q> = (question: Q, place: number, passage: StoredPassage | undefined) => 0 | 1 | null;

const isBelow: Judge<MadeQuestion> = ({ text }, _place, passage) => (headingOf(passage) === text ? 1 : 0);

/** Passages that overlap repeat the sentence: finding them is no merit. */
const isOwn: Judge<SentenceQuestion> = ({ sentence, place: own }, place, passage) => {
  if (place === own) return 1;
  return passage?.text.includes(sentence) ? null : 0;
};

async function trials<Q extends MadeQuestion>(
  { partition, shown, words, breathe, signal }: Bench,
  questions: readonly Q[],
  vectors: readonly Float32Array[],
  judge: Judge<Q>,
): Promise<Trial[]> {
  const made: Trial[] = [];
  for (const [i, question] of questions.entries()) {
    const vector = nonZero(vectors[i]);
    const found = partition.search({ text: question.text, limit: LIMIT, groups: [], ...(vector && { vector }) });
    const judged = (hits: readonly RowHit[]): Leg<number> =>
      hits.flatMap(({ row, score }): [number, number][] => {
        const place = row % shown.length;
        return judge(question, place, shown[place]) === null ? [] : [[place, score]];
      });
    const byText = judged(found.byText);
    const best = shown[byText[0]?.[0] ?? -1];
    made.push({
      language: question.language,
      byText: scaledText(byText, LIMIT),
      byVector: scaledVector(judged(found.byVector)),
      coverage: best ? coverage(words.ofQuery(question.text), words.ofPassage(best)) : 0,
      relevant: new Set(shown.flatMap((passage, place) => (judge(question, place, passage) === 1 ? [place] : []))),
    });
    if (i % STRIDE === 0) await pause(breathe, signal);
  }
  return made;
}

async function embedAll(
  embedder: Embedder,
  texts: readonly (string | MadeQuestion)[],
  kind: "query" | "passage",
  signal: AbortSignal,
): Promise<Float32Array[]> {
  const vectors: Float32Array[] = [];
  for (let from = 0; from < texts.length; from += EMBED_BATCH) {
    const batch = texts.slice(from, from + EMBED_BATCH).map((text) => (typeof text === "string" ? text : text.text));
    vectors.push(...(await embedder.embed(batch, kind, { signal })));
  }
  return vectors;
}

async function pause(breathe: () => Promise<void> | undefined, signal: AbortSignal): Promise<void> {
  await breathe();
  signal.throwIfAborted();
}

function resident({ title, headings, text, vector }: StoredPassage, place: number): ResidentPassage {
  return { row: place, documentRow: place, title, headings, text, vector, metadata: {}, groups: [] };
}
