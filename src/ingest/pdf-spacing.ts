import type { Block } from "./document.ts";

/** What follows a number without a space in Korean, where the file's own text shows nothing else. */
const UNITS =
  "개월|시간|개년|년도|년|월|일|주|시|분|초|원|만|억|천|백|명|인|회|차|배|건|개|조|항|호|장|절|세|급|호봉|쪽|층|점|퍼센트|킬로|미터";
const PARTED_UNIT = new RegExp(`(\\d) (?=(?:${UNITS}))`, "g");
const PARTED_ARTICLE = /(?<![가-힣])제 (?=\d)/g;
const TOUCHING = /\d[가-힣]/;
/** Parted numbers in a file, from which on it is its producer who parts them. */
const PARTED_MIN = 3;

/**
 * Word processors set a little room between Hangul and digits, which a parser takes for a space: `15 일`, `제 60 조`. In a file where no
 * digit touches Hangul, numbers and their units are joined again.
 */
export function joinNumbers(blocks: readonly Block[]): Block[] {
  if (blocks.some(({ text }) => TOUCHING.test(text))) return [...blocks];
  const parted = blocks.reduce((total, { text }) => total + (text.match(PARTED_UNIT)?.length ?? 0), 0);
  if (parted < PARTED_MIN) return [...blocks];
  return blocks.map(joined);
}

function joined<B extends Block>(block: B): B {
  const join = (text: string) => text.replace(PARTED_UNIT, "$1").replace(PARTED_ARTICLE, "제");
  const text = join(block.text);
  if (!("pageBreaks" in block) || !block.pageBreaks) return { ...block, text };
  const pageBreaks = block.pageBreaks.map(({ page, at }) => ({ page, at: join(block.text.slice(0, at)).length }));
  return { ...block, text, pageBreaks };
}
