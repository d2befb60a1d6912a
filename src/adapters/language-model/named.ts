/** A name that a number tells from others of its kind: H60, E-3007, 2026, 제4조, section 4. */
interface Numbered {
  readonly name: RegExp;
  readonly kind: RegExp;
}

/** Of each kind, of a question: more are no question that anybody reads. */
const NAMES_MAX = 8;
const CODE = /(?<![\p{L}\d-])([a-z]+)-?(\d[a-z\d]*)(?![-.,]?\d)/giu;
/** Not of a day, which is no name (2026년 5월 1일), nor before a word that it may count (2000 dollars). */
const YEAR = /(?<![\p{L}\d.,-])((?:19|20)\d\d)(?:년(?!\s*\d)|(?!\s?[\p{L}\d]|[.,-]\d|\.\s\d))/gu;
const ORDINAL = /제\s?(\d+)\s?([조항호장절])/gu;
const SECTION = /\b(article|section|chapter|clause|appendix)\s+(\d+)\b/giu;

/**
 * Whether a question names something by a number, and texts name others of its kind, but not it. Of several of a kind one is enough:
 * they may be compared, or one put in the other's place.
 */
export function namesAnother(question: string, texts: readonly string[]): boolean {
  const holds = (pattern: RegExp) => texts.some((text) => pattern.test(text));
  const kinds = Map.groupBy(numberedIn(question.normalize("NFKC")), ({ kind }) => kind.source.toLowerCase());
  return [...kinds.values()].some((alike) => {
    const isOfKind = alike.some(({ kind }) => holds(kind));
    return isOfKind && !alike.some(({ name }) => holds(name));
  });
}

function numberedIn(question: string): Numbered[] {
  const found = (pattern: RegExp) => question.matchAll(pattern).take(NAMES_MAX).toArray();
  return [
    ...found(CODE).map(([, letters, number]) => ({
      name: RegExp(String.raw`(?<![a-z\d])${letters}[-\s]?${number}(?![a-z\d])`, "i"),
      kind: RegExp(String.raw`(?<![a-z\d])${letters}-?\d`, "i"),
    })),
    ...found(YEAR).map(([, year]) => ({
      name: RegExp(String.raw`(?<!\d)${year}(?!\d)`),
      kind: /(?<![\d.,])(?:19|20)\d\d(?:년|[-./]\d|(?![\p{L}\d]|,\d))/u,
    })),
    ...found(ORDINAL).map(([, number, unit]) => ({
      name: RegExp(String.raw`제\s?${number}\s?${unit}`),
      kind: RegExp(String.raw`제\s?\d+\s?${unit}`),
    })),
    ...found(SECTION).map(([, word, number]) => ({
      name: RegExp(String.raw`\b${word}\s+${number}\b`, "i"),
      kind: RegExp(String.raw`\b${word}\s+\d`, "i"),
    })),
  ];
}
