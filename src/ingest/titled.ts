import type { Block, ParsedText } from "./document.ts";

/**
 * What was written with the document's title as a heading of depth 1, and with all other headings below it: where there is no such title,
 * a heading of depth 2 that comes first and is the only one is it. Several are chapters, none of which is the title of the others.
 */
export function titled(parsed: ParsedText): ParsedText {
  const depths = parsed.blocks.flatMap((block) => (block.kind === "heading" ? block.depth : []));
  if (depths[0] !== 2 || depths.includes(1) || depths.lastIndexOf(2) > 0) return parsed;
  const raised = (block: Block): Block => (block.kind === "heading" ? { ...block, depth: block.depth - 1 } : block);
  return { ...parsed, blocks: parsed.blocks.map(raised) };
}
