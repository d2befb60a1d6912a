import { type Beginning, divided, type TextBlock } from "./divided.ts";
import type { Block } from "./document.ts";
import { collapse } from "./normalize.ts";

const D = String.raw`[\d０-９]`;
const NUMBER = `${D}{1,4}`;
const BRANCH = `(?: ?의 ?${D}{1,3})?`;
/** Behind an article that is mentioned at the beginning of a line: `제15조(연차 휴가)를`. */
const MENTION = String.raw`(?:[은는을를에의과와로]|에서|부터|까지)\s| ?(?:및|또는|내지)\s|제 ?${D}`;

/** What stands behind an entry of a table of contents: what leads the eye, or room, and a page's number. */
const LEADERS = String.raw`[^\S\n]*(?:[…‥⋯]+|(?:[.·∙・][^\S\n]?){3,})[^\S\n]*`;
const ROOM = String.raw`(?=[^\S\n]{3}|[^\S\n]*\t)[^\S\n]+`;
const PAGE = String.raw`(?:${LEADERS}|${ROOM})\d{1,4}[^\S\n]*$`;

/** As Korean statutes and regulations begin their articles, `제15조의2(연차 휴가)`, each in a line of its own. */
const ARTICLE = new RegExp(
  String.raw`^[^\S\n]*(제 ?${NUMBER} ?조${BRANCH}) ?(?:([(（【[])([^)）】\]\n]{1,60})([)）】\]])(?!${MENTION}|${PAGE})|(?=[<〈]?삭 ?제(?:[\s<>〉]|$)))`,
  "gm",
);
const ANNEX = String.raw`(?:■[^\n[<]{0,40})?(?:[[<〈]별[표지][^\]>〉\n]{0,20}[\]>〉]|별[표지] ?(?:제 ?)?${NUMBER}(?: ?호(?: ?서식)?)?)`;
/** What these stand in, `제3장 휴가`, and what stands behind them, `부칙`, `[별표 1] 여비`. */
const PART = new RegExp(
  String.raw`^[^\S\n]*(제 ?${NUMBER} ?(편|장|절|관)${BRANCH}|부[^\S\n]*칙|${ANNEX})(?=[\s<(（]|$)([^\n]*)`,
  "gm",
);
const LISTED = new RegExp(PAGE);
/** A word that letters are spaced in, to look well: `휴   가`. */
const SPACED = /^(?:\p{sc=Hangul}\s+)+\p{sc=Hangul}$/u;
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
  return [...text.matchAll(ARTICLE)].map(
    ({ 0: said, 1: article = "", 2: open = "", 3: caption = "", 4: close = "", index: at }) => {
      const heading = `${article}${open}${unspaced(caption)}${close}`;
      return { at, end: at + said.length, heading, depth: ARTICLE_DEPTH };
    },
  );
}

function partsIn(text: string): Beginning[] {
  return [...text.matchAll(PART)].flatMap(({ 0: said, 1: part = "", 2: kind, 3: rest = "", index: at }) => {
    if (said.length > PART_LENGTH_MAX || SENTENCE.test(said) || LISTED.test(said)) return [];
    const depth = kind === undefined ? ANNEX_DEPTH : (DEPTHS[kind] ?? 0);
    const space = /^\s/.test(rest) ? " " : "";
    return { at, end: at + said.length, heading: `${unspaced(part)}${space}${unspaced(rest)}`.trimEnd(), depth };
  });
}

function unspaced(text: string): string {
  const words = collapse(text);
  return SPACED.test(words) ? words.replaceAll(" ", "") : words;
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
      return { at, end, heading: isCaption ? `${article} ${unspaced(rest)}` : article, depth: ARTICLE_DEPTH };
    }),
  );
}
