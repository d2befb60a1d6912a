import type { Block } from "./document.ts";

export type BodyBlock = Exclude<Block, { kind: "heading" }>;

/** The blocks under one heading, without those of its subheadings. */
export interface Section {
  /** Outermost first, its own heading last. */
  readonly headings: readonly string[];
  readonly blocks: readonly BodyBlock[];
}

/**
 * Divides blocks at their headings, one without text being none but the end of those before. A heading with neither text nor subheadings
 * would be lost in a path, so it becomes the text of a section of its own.
 */
export function toSections(blocks: readonly Block[]): Section[] {
  const sections: Section[] = [];
  let path: Extract<Block, { readonly kind: "heading" }>[] = [];
  let body: BodyBlock[] = [];
  const end = (nextDepth: number): void => {
    const last = path.at(-1);
    const names = path.map((heading) => heading.text).filter((name) => name !== "");
    if (body.length > 0) sections.push({ headings: names, blocks: body });
    else if (last && last.text !== "" && nextDepth <= last.depth) {
      sections.push({ headings: names.slice(0, -1), blocks: [{ ...last, kind: "text" }] });
    }
    body = [];
  };
  for (const block of blocks) {
    if (block.kind !== "heading") body.push(block);
    else {
      end(block.depth);
      path = [...path.filter((heading) => heading.depth < block.depth), block];
    }
  }
  end(0);
  return sections;
}
