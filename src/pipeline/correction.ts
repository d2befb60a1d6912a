import { type Term, termsOf } from "../text/terms.ts";
import { beyondThanks } from "./points-back.ts";

/** A question that puts right what was asked before: "아니, A100 말고 A200은?". */
export interface Corrected {
  /** The question without what it replaces; as it was where it replaces nothing. */
  readonly asked: string;
  /** What is no longer asked about: neither to be searched for nor to be carried further. */
  readonly replaced: readonly Term[];
}

interface Sides {
  /** What stands before what is replaced. */
  readonly before: string;
  readonly replaced: string;
  readonly by: string;
}

/** One of these stands in every correction; most questions are none, and cost no more than looking for it. */
const MARK = /말고|아니[라고]|not\s/iu;
/** Not "하지 말고", nor "뿐 아니라" (not only). */
const INSTEAD_KO = /(?:말고|아니라|아니고)[는요]?[\s,]/u;
const NO_NOUN_KO = /(?:지|뿐만?)$/u;
const NOT_BUT = /^not\s(.+?)\sbut\s(.+)$/isu;
const NOT_LAST = ", not ";
/** Not "not only", nor a condition: ", not including tax", ", not approved". */
const NO_NOUN_EN = /^(?:only|just|merely|simply|necessarily|even|yet|always|\p{L}+(?:ing|ed))\b/iu;
/** Of what stands behind ", not"; more say something of their own. */
const NOT_LAST_TERMS_MAX = 2;

export function corrected(question: string): Corrected {
  if (!MARK.test(question)) return { asked: question, replaced: [] };
  const text = beyondThanks(question);
  const sides = instead(text) ?? notBut(text) ?? notLast(text);
  const replaced = sides ? termsOf(sides.replaced) : [];
  if (!sides || replaced.length === 0 || termsOf(sides.by).length === 0) return { asked: question, replaced: [] };
  return { asked: `${sides.before} ${sides.by}`.trim(), replaced };
}

/** "A100 말고 A200", "2025년 매출 말고 영업이익은?": as many nouns in a row are replaced as stand in their place, or fewer. */
function instead(text: string): Sides | null {
  const mark = INSTEAD_KO.exec(text);
  if (!mark) return null;
  const words = text.slice(0, mark.index).trim().split(/\s+/);
  if (NO_NOUN_KO.test(words.at(-1) ?? "")) return null;
  const by = text.slice(mark.index + mark[0].length).trim();
  const most = termsOf(by).length;
  let from = words.length - 1;
  while (from > 0 && words.length - from < most && isBareNoun(words[from - 1] as string)) from--;
  return { before: words.slice(0, from).join(" "), replaced: words.slice(from).join(" "), by };
}

function isBareNoun(word: string): boolean {
  return termsOf(word)[0]?.word === word.toLowerCase();
}

/** "not the Pro plan but Premium" */
function notBut(text: string): Sides | null {
  const [, replaced = "", by = ""] = NOT_BUT.exec(text) ?? [];
  return by === "" || NO_NOUN_EN.test(replaced) ? null : { before: "", replaced, by };
}

/** "the Premium plan, not Pro" */
function notLast(text: string): Sides | null {
  const at = text.toLowerCase().lastIndexOf(NOT_LAST);
  const replaced = text.slice(at + NOT_LAST.length);
  const isNoun =
    !replaced.includes(",") && !NO_NOUN_EN.test(replaced) && termsOf(replaced).length <= NOT_LAST_TERMS_MAX;
  return at >= 0 && isNoun ? { before: "", replaced, by: text.slice(0, at) } : null;
}
