import { createHashingEmbedder } from "../../../src/adapters/embedder/hashing.ts";
import { SqlitePassageIndex } from "../../../src/adapters/passage-index/sqlite.ts";
import { Database } from "../../../src/adapters/sqlite/database.ts";
import type { PassageIndex } from "../../../src/ports/passage-index.ts";
import { passageText } from "../../../src/text/passage-text.ts";
import type { Document, PassageInput } from "../../../src/types.ts";
import { call, SCOPE } from "../calls.ts";

export const embedder = createHashingEmbedder({ dimensions: 64 });
const WORDS =
  "휴가 연차 병가 급여 퇴직금 출장비 숙박비 영수증 보안 노트북 leave salary receipt travel laptop password approval policy".split(
    " ",
  );

/** The same whenever it is asked for: whoever finds a part of a version knows all of it. */
export function textsOf(id: string, version: number): string[] {
  let state = version * 7919 + [...id].reduce((sum, character) => sum * 31 + character.charCodeAt(0), 7);
  const next = (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  const parts = 1 + next(9);
  return Array.from({ length: parts }, (_, part) => {
    const words = Array.from({ length: 12 + next(20) }, () => WORDS[next(WORDS.length)]);
    return `${token(id)} 판 ${version} 부분 ${part} / ${parts} ${words.join(" ")}`;
  });
}

/** A word that only this document has. */
export function token(id: string): string {
  return `only${id.replaceAll("-", "x")}x`;
}

/** Every passage of a document is found by it. */
export function titleOf(id: string): string {
  return `문서 ${token(id)}`;
}

/** Whether these are all passages of one version, in their order, however it was cut. */
export function isWhole(id: string, texts: readonly string[]): boolean {
  const words = (parts: readonly string[]) => parts.join(" ").split(/\s+/).join(" ");
  return words(texts) === words(textsOf(id, versionIn(texts[0] ?? "")));
}

/** What `textsOf` wrote of itself. */
export function versionIn(text: string): number {
  return Number(/판 (\d+) 부분/.exec(text)?.[1]);
}

export function documentOf(id: string, version: number): Document {
  return { id, title: titleOf(id), hash: `${version}`, metadata: { version }, groups: [] };
}

export async function passagesOf(id: string, version: number): Promise<PassageInput[]> {
  const texts = textsOf(id, version);
  return embedded(id, texts);
}

export async function embedded(id: string, texts: readonly string[]): Promise<PassageInput[]> {
  const whole = texts.map((text) => passageText({ title: titleOf(id), headings: [], text }));
  const vectors = await embedder.embed(whole, "passage", call());
  return texts.map((text, i) => ({ text, headings: [], tokens: 30, vector: vectors[i] ?? null }));
}

export function openIndex(file: string) {
  const database = Database.open(file);
  const index: PassageIndex = new SqlitePassageIndex(database, embedder);
  const close = async () => {
    await index.close?.();
    await database.close();
  };
  return { database, index, close };
}

export interface Answer {
  readonly byText: readonly (readonly [id: string, score: number])[];
  readonly byVector: readonly (readonly [id: string, score: number])[];
}

/** What the index says to questions that are the same each time, best first, equal scores by id. */
export async function answersOf(index: PassageIndex, questions: number): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let i = 0; i < questions; i++) {
    const text = [
      WORDS[i % WORDS.length],
      WORDS[(i * 7 + 3) % WORDS.length],
      WORDS[(i * 5 + (i >> 4)) % WORDS.length],
    ].join(" ");
    const [vector = new Float32Array(0)] = await embedder.embed([text], "query", call());
    const { byText, byVector } = await index.search(SCOPE, { text, vector, limit: 10_000 }, call());
    const sorted = (hits: typeof byText) =>
      hits
        .map(({ passage, score }) => [`${passage.id} ${passage.text}`, score] as const)
        .toSorted(([a, scoreA], [b, scoreB]) => scoreB - scoreA || (a < b ? -1 : 1));
    answers.push({ byText: sorted(byText), byVector: sorted(byVector) });
  }
  return answers;
}
