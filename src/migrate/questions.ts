import { headingQuestions, QUESTIONS_MAX, sentenceQuestions } from "../fusion/questions.ts";
import type { StoredPassage } from "../ports/fusion-store.ts";

/** Passages that questions are made of. */
export const SAMPLE_MAX = 1024;

/**
 * Up to `count` different questions in the collection's own words: sentences out of its passages and what stands above them, in
 * turn, spread over the sample. The same ones for the same sample.
 */
export function sampledQuestions(sample: readonly StoredPassage[], count: number): string[] {
  const stride = Math.max(1, Math.ceil(sample.length / QUESTIONS_MAX));
  const made = new Set<string>();
  for (let offset = 0; offset < stride; offset++) {
    const part = sample.filter((_, i) => i % stride === offset);
    const [sentences, headings] = [sentenceQuestions(part), headingQuestions(part)];
    for (let i = 0; i < Math.max(sentences.length, headings.length); i++) {
      for (const question of [sentences[i], headings[i]]) {
        if (question) made.add(question.text);
        if (made.size === count) return [...made];
      }
    }
  }
  return [...made];
}
