import type { Fusion, StoredPassage, VectorWeights } from "../ports/fusion-store.ts";
import { type Language, languageOf } from "../text/language.ts";
import { blend, type Leg } from "./blend.ts";
import { PRIOR, vectorWeight } from "./weights.ts";

/** A question that was asked of both legs: what they found, scaled, and what they should have. */
export interface Trial {
  readonly language: Language;
  readonly byText: Leg<number>;
  readonly byVector: Leg<number>;
  readonly coverage: number;
  readonly relevant: ReadonlySet<number>;
}

export interface Trials {
  /** Questions whose words the documents use: titles and headings. */
  readonly known: readonly Trial[];
  /** Questions whose words the documents need not use. */
  readonly content: readonly Trial[];
}

/** Fewer questions than these say little: the prior holds. */
const QUESTIONS_MIN = 48;
/** What the vectors may weigh: finer steps are within chance. */
const STEPS = [0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8];
/** Where every word is found, text always has its say. */
const COVERED_MAX = 0.6;
/** The lightest first. */
const GRID: readonly VectorWeights[] = STEPS.flatMap((uncovered) =>
  STEPS.filter((covered) => covered <= Math.min(uncovered, COVERED_MAX)).map((covered) => ({ uncovered, covered })),
).sort((a, b) => a.uncovered + a.covered - b.uncovered - b.covered);
/** Of nDCG@10: what questions in known words may lose, and what vectors must bring at all. */
const LOSS_MAX = 0.002;
const GAIN_MIN = 0.005;
/** What weights are drawn to where questions cannot tell; made questions know the documents' words better than askers do. */
const CENTRE: VectorWeights = { uncovered: 0.3, covered: 0.1 };
/** What weights that are 1 away from the centre must make up for, in nDCG summed over the content questions, two a sentence. */
const CENTRE_STRENGTH = 6;
/** Between languages the text leg knows names and code only: vectors weigh as much, as far as they know both languages. */
const ACROSS_UNCOVERED = 0.5;

/** The weights for each language of question. `agreement`: see `languageAgreement`. */
export async function weightsByLanguage(
  { known, content }: Trials,
  sample: readonly StoredPassage[],
  agreement: number,
  pause: () => Promise<void>,
): Promise<Fusion["weights"]> {
  const of = (language: Language) => (trial: Trial) => trial.language === language;
  const learn = async (language: "ko" | "en") => {
    const mine = { known: known.filter(of(language)), content: content.filter(of(language)) };
    const questions = mine.known.length + mine.content.length;
    return mine.content.length < QUESTIONS_MIN ? null : { ...(await learned(mine, pause)), questions };
  };
  const main = mainLanguage(sample);
  const own = { ko: await learn("ko"), en: await learn("en") };
  const other = { ...PRIOR, questions: 0 };
  const foreign = () => {
    const covered = agreement * ((main === "other" ? null : own[main])?.covered ?? PRIOR.covered);
    return { uncovered: Math.max(covered, agreement * ACROSS_UNCOVERED), covered, questions: 0 };
  };
  const weights = (language: "ko" | "en") =>
    own[language] ?? (main === language || main === "other" ? other : foreign());
  return { ko: weights("ko"), en: weights("en"), other };
}

/**
 * Among the weights under which questions in known words lose nothing against text alone, those that lift content questions
 * most, less what their distance from the centre costs: the fewer questions, the more (a penalised estimate).
 */
async function learned({ known, content }: Trials, pause: () => Promise<void>): Promise<VectorWeights> {
  const textAlone = { uncovered: 0, covered: 0 };
  const floor = worth(known, textAlone) - LOSS_MAX;
  const base = worth(content, textAlone);
  let best = textAlone;
  let most = Number.NEGATIVE_INFINITY;
  let gained = 0;
  for (const weights of GRID) {
    await pause();
    if (worth(known, weights) < floor) continue;
    const gain = worth(content, weights) - base;
    const net = gain - (CENTRE_STRENGTH / content.length) * distance(weights, CENTRE);
    gained = Math.max(gained, gain);
    if (net > most) [best, most] = [weights, net];
  }
  return gained < GAIN_MIN ? textAlone : best;
}

function distance(a: VectorWeights, b: VectorWeights): number {
  return Math.abs(a.uncovered - b.uncovered) + Math.abs(a.covered - b.covered);
}

/** The mean nDCG@10 of the trials under the weights; 0 of none. */
function worth(trials: readonly Trial[], weights: VectorWeights): number {
  if (trials.length === 0) return 0;
  return trials.reduce((total, trial) => total + ndcg(trial, weights), 0) / trials.length;
}

function ndcg({ byText, byVector, coverage, relevant }: Trial, weights: VectorWeights): number {
  const weight = byVector.length === 0 ? 0 : vectorWeight(weights, coverage);
  const ranking = weight === 0 ? byText : blend(byText, byVector, weight);
  const gains = ranking.slice(0, 10).map(([place]) => (relevant.has(place) ? 1 : 0));
  const ideal = Array.from({ length: Math.min(10, relevant.size) }, () => 1);
  return ideal.length === 0 ? 0 : discounted(gains) / discounted(ideal);
}

function discounted(gains: readonly number[]): number {
  return gains.reduce((total, gain, i) => total + gain / Math.log2(i + 2), 0);
}

/** The language of most passages. */
function mainLanguage(sample: readonly StoredPassage[]): Language {
  const counts = { ko: 0, en: 0, other: 0 };
  for (const { text } of sample) counts[languageOf(text)]++;
  if (counts.ko > counts.en) return counts.ko >= counts.other ? "ko" : "other";
  return counts.en > 0 && counts.en >= counts.other ? "en" : "other";
}
