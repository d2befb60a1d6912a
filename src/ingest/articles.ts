import { type Beginning, divided, type TextBlock } from "./divided.ts";
import type { Block } from "./document.ts";
import { collapse } from "./normalize.ts";

/**
 * As Korean statutes and regulations begin their articles, `제15조의2(연차 휴가)`, and the parts that these stand in, `제3장 휴가`, or that
 * stand behind them, `부칙`, `[별표 1] 여비`, each in a line of its own.
 */
const BEGINNING =
  /^[^\S\n]*(?:(제 ?\d{1,4} ?조(?:의 ?\d{1,3})?) ?([(（【[][^)）】\]\n]{1,60}[)）】\]])|(제 ?\d{1,3} ?(편|장|절|관)(?:의 ?\d{1,3})?|부[^\S\n]*칙|(?:■[^\n[<]{0,40})?(?:[[<〈]별[표지][^\]>〉\n]{0,20}[\]>〉]|별[표지] ?(?:제 ?)?\d{1,3}(?: ?호(?: ?서식)?)?))(?=[\s<(（]|$)([^\n]*))/gm;
/** An article without a caption in brackets: `제1조 목적`, `제1조 이 계약은 …`. */
const BARE = /^[^\S\n]*(제 ?(\d{1,4}) ?조)(?=[.:\s]|$)[.:]?[^\S\n]*([^\n]*)/gm;
const SENTENCE = /(?:다|[.。?!])\s*$/;
const PART_LENGTH_MAX = 60;
const CAPTION = /^(?!제 ?\d)\p{L}[^\n]{0,19}$/u;
/** Below the heading that they stand under. */
const DEPTHS: Readonly<Record<string, number>> = { 편: 1, 장: 2, 절: 3, 관: 4 };
/** Of what stands behind all articles. */
const ANNEX_DEPTH = 1;
const ARTICLE_DEPTH = 5;
/** A document with fewer speaks of articles, and is none made of them. */
const ARTICLES_MIN = 3;

/** Makes headings of what begins the articles of a regulation, and their chapters, where its format has them as text. */
export function withArticles(blocks: readonly Block[]): readonly Block[] {
  const texts = blocks.filter((block): block is TextBlock => block.kind === "text");
  const articles = texts.map(({ text }) => captionedIn(text));
  const isCaptioned = articles.flat().length >= ARTICLES_MIN;
  const found = isCaptioned ? articles : bareIn(texts.map(({ text }) => text));
  if (found.flat().length < ARTICLES_MIN) return blocks;
  const beginnings = new Map(
    texts.map((block, i): [Block, Beginning[]] => {
      const all = [...(found[i] ?? []), ...partsIn(block.text)];
      return [block, all.sort((a, b) => a.at - b.at)];
    }),
  );
  let above = 0;
  return blocks.flatMap((block) => {
    if (block.kind === "heading") above = block.depth;
    return block.kind === "text" ? [...divided(block, beginnings.get(block) ?? [], above)] : block;
  });
}

function captionedIn(text: string): Beginning[] {
  return [...text.matchAll(BEGINNING)].flatMap(({ 0: said, 1: article, 2: name, index: at }) =>
    article === undefined ? [] : { at, end: at + said.length, heading: `${article}${name}`, depth: ARTICLE_DEPTH },
  );
}

function partsIn(text: string): Beginning[] {
  return [...text.matchAll(BEGINNING)].flatMap(({ 0: said, 3: part, 4: kind, 5: rest = "", index: at }) => {
    if (part === undefined || said.length > PART_LENGTH_MAX || SENTENCE.test(said)) return [];
    const depth = kind === undefined ? ANNEX_DEPTH : (DEPTHS[kind] ?? 0);
    return { at, end: at + said.length, heading: collapse(`${part}${rest}`), depth };
  });
}

/** Articles by number alone, where they count from 1, behind 부칙 anew. */
function bareIn(texts: readonly string[]): Beginning[][] {
  let last = 0;
  return texts.map((text) =>
    [...text.matchAll(BARE)].flatMap(({ 0: said, 1: article = "", 2: number, 3: rest = "", index: at }) => {
      if (Number(number) !== last + 1 && (Number(number) !== 1 || last < ARTICLES_MIN)) return [];
      last = Number(number);
      const isCaption = CAPTION.test(rest.trim()) && !SENTENCE.test(rest);
      const end = at + said.length - (isCaption ? 0 : rest.length);
      return { at, end, heading: isCaption ? collapse(`${article} ${rest}`) : article, depth: ARTICLE_DEPTH };
    }),
  );
}
