import type { Block } from "./document.ts";
import { BULLET, type Label } from "./docx-numbering.ts";
import { PLAIN_STYLE, type Style } from "./docx-styles.ts";
import { collapse } from "./normalize.ts";

/** A paragraph in a heading's style is one up to so many characters, and where it is no sentence: outlines number those too. */
const HEADING_LENGTH_MAX = 150;
const SENTENCE = /다\.\s*$/;
/** What begins an article, which is a text of its own beside the lists in it. */
const ARTICLE = /^제 ?\d+ ?[조장절편관]/;
const STRUCK_MARK = "~~";
const INDENT = "  ";
const DEPTH_MAX = 6;

/** How a run's text stands. */
export interface Look {
  readonly isStruck: boolean;
  readonly isRaised: boolean;
}

/** A paragraph that is being read. */
export class Paragraph {
  style: Style = PLAIN_STYLE;
  /** Of its own, before its style's. Null: text. */
  depth: number | null | undefined;
  label: Label | null = null;
  /** Its end is deleted: what it says goes on in the next one. */
  isJoined = false;
  /** What stands behind it: notes, text boxes. */
  readonly after: Block[] = [];
  #text = "";
  #isStruck = false;

  write(text: string, { isStruck, isRaised }: Look): void {
    if (text === "") return;
    if (isStruck !== this.#isStruck) this.#strike(isStruck);
    // 10² is not 102.
    if (isRaised && /\d$/.test(this.#text) && /^\d/.test(text)) this.#text += "^";
    this.#text += text;
  }

  /** Takes over what a paragraph before says, the end of which is deleted. */
  goOnFrom({ text, after }: Paragraph): void {
    this.#text = text;
    append(this.after, after);
  }

  get text(): string {
    if (this.#isStruck) this.#strike(false);
    return this.#text;
  }

  #strike(isStruck: boolean): void {
    this.#text += STRUCK_MARK;
    this.#isStruck = isStruck;
  }
}

/** Adds a paragraph, and what stands behind it. Those that are numbered one after the other are a list. */
export function add(blocks: Block[], paragraph: Paragraph): void {
  const { style, label, after, depth = style.depth } = paragraph;
  const said = tidy(paragraph.text);
  const text = (label?.text ?? "") + said;
  const isHeading = depth !== null && said.length <= HEADING_LENGTH_MAX && !SENTENCE.test(said);
  if (said !== "" && !style.isForeign) {
    if (isHeading) blocks.push({ kind: "heading", depth: Math.min(DEPTH_MAX, depth), text: collapse(text) });
    else if (label && !ARTICLE.test(text)) addEntry(blocks, text, label);
    else blocks.push({ kind: "text", text });
  }
  append(blocks, after);
}

/** Of any number: arguments are bounded. */
export function append(to: Block[] | undefined, blocks: readonly Block[]): void {
  for (const block of blocks) to?.push(block);
}

function addEntry(blocks: Block[], text: string, { text: mark, level }: Label): void {
  const last = blocks.at(-1);
  if (last?.kind !== "list") blocks.push({ kind: "list", text });
  else {
    const indent = mark === BULLET ? INDENT.repeat(level) : "";
    blocks[blocks.length - 1] = { ...last, text: `${last.text}\n${indent}${text}` };
  }
}

/** White space as it shows, line ends kept. */
function tidy(text: string): string {
  return text
    .split("\n")
    .map(collapse)
    .filter((line) => line !== "")
    .join("\n");
}
