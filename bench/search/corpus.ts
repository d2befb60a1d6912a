/**
 * Passages and questions of `bench:search`, generated, the same on every run: Korean and English words whose frequencies fall as
 * in real text (Zipf), in topics that share words, and unit vectors in clusters. A question takes its words from one passage
 * and its vector near that passage's.
 */
export const DIMENSIONS = 384;

export interface BenchPassage {
  readonly title: string;
  readonly text: string;
  readonly vector: Float32Array;
  readonly year: number;
}

export interface BenchQuestion {
  readonly text: string;
  readonly vector: Float32Array;
}

const KOREAN_WORDS = 30_000;
const ENGLISH_WORDS = 20_000;
const TOPICS = 400;
const TOPIC_WORDS = 60;
const PASSAGE_WORDS = 70;
const QUESTION_WORDS = 7;
const PARTICLES = ["", "은", "는", "이", "가", "을", "를", "에", "의", "로", "에서", "하는", "하여야", "한다"];
const CONSONANTS = "bcdfghklmnprstvw";
const VOWELS = "aeiou";

/** Mulberry32. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const words = makeWords();
const centers = Array.from({ length: TOPICS }, (_, topic) => unit(gaussians(randomOf(topic + 77))));

export function passage(n: number): BenchPassage {
  const random = randomOf(n * 2 + 1);
  const topic = Math.floor(random() ** 2 * TOPICS);
  const text = Array.from({ length: Math.round(PASSAGE_WORDS * (0.4 + 1.2 * random())) }, () => word(random, topic));
  return {
    title: `${word(random, topic)} ${word(random, topic)}`,
    text: text.join(" "),
    vector: unit(mix(centers[topic] ?? new Float32Array(DIMENSIONS), gaussians(random), 0.045)),
    year: 2000 + Math.floor(random() * 25),
  };
}

/** `corpus`: how many passages there are; `first`: the number of the first. */
export function question(n: number, corpus: number, first = 0): BenchQuestion {
  const random = randomOf(1_000_000_007 + n);
  const { text, vector } = passage(first + Math.floor(random() * corpus));
  const from = text.split(" ");
  const asked = Array.from({ length: QUESTION_WORDS }, () => from[Math.floor(random() * from.length)] ?? "");
  return { text: asked.join(" "), vector: unit(mix(vector, gaussians(random), 0.03)) };
}

/** Half of the words are of the topic. */
function word(random: () => number, topic: number): string {
  const rank = random() < 0.3 ? zipf(random, TOPIC_WORDS) * TOPICS + topic : zipf(random, words.length);
  const found = words[rank % words.length] ?? "";
  return /^[a-z]/.test(found) ? found : found + (PARTICLES[Math.floor(random() * PARTICLES.length)] ?? "");
}

/** A rank from 0 up, with a probability that falls as 1 / rank. */
function zipf(random: () => number, size: number): number {
  return Math.floor(size ** random()) - 1;
}

function makeWords(): string[] {
  const random = randomOf(7);
  const korean = Array.from({ length: KOREAN_WORDS }, () =>
    Array.from({ length: 2 + Math.floor(random() * 2.4) }, () => syllable(random)).join(""),
  );
  const english = Array.from({ length: ENGLISH_WORDS }, () =>
    Array.from({ length: 2 + Math.floor(random() * 2.4) }, () => pick(CONSONANTS, random) + pick(VOWELS, random)).join(
      "",
    ),
  );
  // Three Korean words, then two English ones.
  return Array.from({ length: KOREAN_WORDS + ENGLISH_WORDS }, (_, i) =>
    i % 5 < 3
      ? (korean[Math.floor(i / 5) * 3 + (i % 5)] ?? "가나")
      : (english[Math.floor(i / 5) * 2 + (i % 5) - 3] ?? "ba"),
  );
}

/** Some 1,500 syllables are in use, a few of them in most words. */
function syllable(random: () => number): string {
  return String.fromCharCode(0xac00 + ((zipf(random, 1500) * 7) % 11_172));
}

function pick(of: string, random: () => number): string {
  return of[Math.floor(random() * of.length)] ?? "";
}

function gaussians(random: () => number): Float32Array {
  return Float32Array.from({ length: DIMENSIONS }, () => random() + random() + random() + random() - 2);
}

function mix(vector: Float32Array, noise: Float32Array, share: number): Float32Array {
  return vector.map((value, i) => value + share * (noise[i] as number));
}

function unit(vector: Float32Array): Float32Array {
  const norm = Math.hypot(...vector);
  return vector.map((value) => value / norm);
}
