import { type Beginning, divided, type TextBlock } from "./divided.ts";
import type { Block } from "./document.ts";
import { collapse } from "./normalize.ts";

/** How a question, and the answer behind it, begin a line: `Q1.`, `질문:`, `[답변]`. */
const LABEL =
  /^[^\S\n]*[[【<(]?(?:(Q|질문|문의|문|問)|A|답변|답|答)[^\S\n]?\d{0,3}[^\S\n]?(?:[\]】>)][.:：]?|[.:：](?!\w))[^\S\n]*/gm;
const CHOICE = /^[^\S\n]*[[【<(]?B[^\S\n]?[\]】>).:：]/m;
/** Fewer are mentioned, not asked. */
const QUESTIONS_MIN = 2;
const QUESTION_LENGTH_MAX = 300;

/** What a label begins, up to the next one of its block. */
interface Said {
  readonly block: TextBlock;
  readonly at: number;
  readonly labelEnd: number;
  readonly to: number;
  readonly isQuestion: boolean;
  /** Where it is an answer: to the question that the block before it ends with. */
  readonly isFirst: boolean;
}

/** Makes headings of questions that an answer follows, where a document has them as text: they tell what is answered below them. */
export function withQuestions(blocks: readonly Block[]): readonly Block[] {
  const said = blocks.map((block) => (block.kind === "text" ? saidIn(block) : []));
  const pairs = said.flatMap((all, i) =>
    all.flatMap((question, j) => {
      const answer = all[j + 1] ?? said[i + 1]?.find(({ isFirst }) => isFirst);
      const isAnswered = question.isQuestion && answer?.isQuestion === false;
      return isAnswered && !isChoice(answer) && question.to - question.at <= QUESTION_LENGTH_MAX
        ? [{ question, answer }]
        : [];
    }),
  );
  if (pairs.length < QUESTIONS_MIN) return blocks;
  const beginnings = Map.groupBy(
    pairs.flatMap(({ question, answer }) => [asHeading(question), asLabel(answer)]),
    ({ block }) => block,
  );
  let above = 0;
  return blocks.flatMap((block) => {
    if (block.kind === "heading") above = block.depth;
    return block.kind === "text" ? [...divided(block, beginnings.get(block) ?? [], above)] : block;
  });
}

/** Whether it is the first of several to choose from. */
function isChoice({ block, labelEnd, to }: Said): boolean {
  return CHOICE.test(block.text.slice(labelEnd, to));
}

function saidIn(block: TextBlock): Said[] {
  const labels = [...block.text.matchAll(LABEL)];
  return labels.map(({ 0: label, 1: question, index: at }, i) => ({
    block,
    at,
    labelEnd: at + label.length,
    to: labels[i + 1]?.index ?? block.text.length,
    isQuestion: question !== undefined,
    isFirst: i === 0 && at === 0,
  }));
}

type Placed = Beginning & Pick<Said, "block">;

function asHeading({ block, at, to }: Said): Placed {
  return { block, at, end: to, heading: collapse(block.text.slice(at, to)), depth: 1 };
}

function asLabel({ block, at, labelEnd }: Said): Placed {
  return { block, at, end: labelEnd, heading: null, depth: 1 };
}
