import type { Block } from "./document.ts";
import { pagesBetween } from "./pages.ts";

export type TextBlock = Exclude<Block, { readonly kind: "heading" }>;

/** Where in a block's text another section begins, and what says so. */
export interface Beginning {
  readonly at: number;
  readonly end: number;
  /** Null: a label, which goes. */
  readonly heading: string | null;
  /** Below the heading that the block stands under. */
  readonly depth: number;
}

/** A block parted by the headings in its text. `above`: the depth of the one that it stands under. */
export function* divided(block: TextBlock, beginnings: readonly Beginning[], above: number): Generator<Block> {
  let from = 0;
  for (const { at, end, heading, depth } of beginnings) {
    yield* cut(block, from, at);
    from = end;
    if (heading === null) continue;
    const { page } = pagesBetween(block, at, end);
    yield { kind: "heading", depth: above + depth, text: heading, ...(page !== undefined && { page }) };
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
