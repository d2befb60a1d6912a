import type { Block } from "./document.ts";
import { pagesBetween } from "./pages.ts";

type TextBlock = Exclude<Block, { readonly kind: "heading" }>;

/**
 * As Korean statutes and regulations begin their articles, `제15조의2(연차 휴가)`, and the parts that these stand in, `제3장 휴가`, each in a line
 * of its own.
 */
const BEGINNING =
  /^[^\S\n]*(?:(제 ?\d{1,4} ?조(?:의 ?\d{1,3})?) ?([(（【[][^)）】\]\n]{1,60}[)）】\]])|(제 ?\d{1,3} ?(편|장|절|관)(?:의 ?\d{1,3})?|부 ?칙)(?=[\s<(（]|$)([^\n]*))/gm;
const SENTENCE = /(?:다|[.。?!])\s*$/;
const PART_LENGTH_MAX = 60;
/** Below the heading that they stand under. */
const DEPTHS: Readonly<Record<string, number>> = { 편: 1, 장: 2, 절: 3, 관: 4 };
const ARTICLE_DEPTH = 5;
/** A document with fewer speaks of articles, and is none made of them. */
const ARTICLES_MIN = 3;

interface Beginning {
  readonly at: number;
  readonly end: number;
  readonly heading: string;
  /** Null: an article. */
  readonly part: string | null;
}

/** Makes headings of what begins the articles of a regulation, and their chapters, where its format has them as text. */
export function withArticles(blocks: readonly Block[]): readonly Block[] {
  const found = new Map<Block, Beginning[]>();
  for (const block of blocks) if (block.kind === "text") found.set(block, beginningsIn(block.text));
  const articles = [...found.values()].flat().filter(({ part }) => part === null);
  if (articles.length < ARTICLES_MIN) return blocks;
  let above = 0;
  return blocks.flatMap((block) => {
    if (block.kind === "heading") above = block.depth;
    return block.kind === "text" ? [...divided(block, found.get(block) ?? [], above)] : block;
  });
}

function beginningsIn(text: string): Beginning[] {
  return [...text.matchAll(BEGINNING)].flatMap((match) => {
    const [said, article, name = "", part, kind, rest = ""] = match;
    const at = match.index;
    const end = at + said.length;
    if (article !== undefined) return { at, end, heading: `${article}${name}`, part: null };
    if (part === undefined || said.length > PART_LENGTH_MAX || SENTENCE.test(said)) return [];
    return { at, end, heading: `${part}${rest}`.trimEnd(), part: kind ?? "장" };
  });
}

function* divided(block: TextBlock, beginnings: readonly Beginning[], above: number): Generator<Block> {
  let from = 0;
  for (const { at, end, heading, part } of beginnings) {
    yield* cut(block, from, at);
    const { page } = pagesBetween(block, at, end);
    const depth = above + (part === null ? ARTICLE_DEPTH : (DEPTHS[part] ?? 0));
    yield { kind: "heading", depth, text: heading, ...(page !== undefined && { page }) };
    from = end;
  }
  yield* cut(block, from, block.text.length);
}

/** A stretch of its text, without white space around it. */
function* cut(block: TextBlock, from: number, to: number): Generator<TextBlock> {
  if (from === 0 && to === block.text.length) return yield block;
  const text = block.text.slice(from, to);
  const start = from + (text.length - text.trimStart().length);
  if (text.trim() === "") return;
  const { page } = pagesBetween(block, start, start + 1);
  const pageBreaks = (block.pageBreaks ?? []).flatMap(({ at, ...rest }) =>
    at > start && at < to ? { ...rest, at: at - start } : [],
  );
  yield {
    kind: "text",
    text: text.trim(),
    ...(page !== undefined && { page }),
    ...(pageBreaks.length > 0 && { pageBreaks }),
  };
}
