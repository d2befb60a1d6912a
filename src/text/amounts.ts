const DIGITS: Readonly<Record<string, number>> = { 일: 1, 이: 2, 삼: 3, 사: 4, 오: 5, 육: 6, 칠: 7, 팔: 8, 구: 9 };
const SMALL: Readonly<Record<string, number>> = { 십: 10, 백: 100, 천: 1_000 };
const LARGE: Readonly<Record<string, number>> = { 만: 1e4, 억: 1e8 };
/** Not within 인치, 인실, 분기, 3분의 1, 회의, 세대, 주년 or 번호. */
const UNIT =
  "원(?![형칙룸])|년|개월|주(?![년식민기])|일(?![반정시부])|시간|분(?![기의야])|회(?![의사원장])|번(?![호지길])|명(?![령세])|인(?![치실])|" +
  "세(?![대트기금])|살|점(?![포심검])|km|%|퍼센트";
const NUMBER = String.raw`\d[\d,]{0,20}(?:\.\d{1,9})?`;
/** `50,000`, `1천만`, `2억 5천만`, `이천만`, `백만` */
const AMOUNT = String.raw`(?:(?:${NUMBER}|[일이삼사오육칠팔구])?[십백천만억]{1,3}\s?){0,6}(?:${NUMBER})?`;
/** Not of a date, a time of day, an ordinal, a telephone number, or within a word. */
const BEFORE = String.raw`(?<![\d.,~∼-]|\d[월시]\s?|(?<!\p{L})제\s?|\p{L}(?!\d))`;
const BOUND = "이상|초과|이하|미만";
/** An amount, and what makes a bound of it. */
const BOUNDED = new RegExp(
  String.raw`${BEFORE}(?=[\d일이삼사오육칠팔구십백천]|[만억]\s?원)(${AMOUNT})\s?(${UNIT})\s?(${BOUND})?`,
  "gu",
);
/** `3~5년`, `30분~1시간` */
const SPAN = new RegExp(String.raw`(?<![\d.,])(${NUMBER})\s?(${UNIT})?\s?[~∼]\s?(${NUMBER})\s?(${UNIT})`, "gu");
/** Behind an amount that a question asks about: it means more, less or another, or how often (1년에 며칠). */
const COMPARES = new RegExp(
  String.raw`^(?:(?:차|짜리)?(?:을|를|이|가)?\s?(?:${BOUND}|넘|안\s?[되된됐돼]|까지|부터|전|후|이내|마다|당|말고|아니[라고])|에(?!서))`,
  "u",
);
/** Units of the same, by one of them. */
const SAME: Readonly<Record<string, string>> = { 번: "회", 인: "명", 살: "세", 퍼센트: "%" };
/** What a unit holds of a smaller one behind it: 1년 6개월, 1시간 30분. */
const PARTS: Readonly<Record<string, readonly [string, number]>> = { 년: ["개월", 12], 시간: ["분", 60] };
const OR = /또는|이거나|혹은/;
/** A year of the calendar, no number of years. */
const YEAR_MIN = 1_000;
/** Of a question: more are no question that anybody reads. */
const AMOUNTS_MAX = 8;

export interface Amount {
  readonly value: number;
  readonly unit: string;
}

interface Named extends Amount {
  readonly bound: string | undefined;
  /** Where it begins, and what stands behind it and its bound. */
  readonly start: number;
  readonly end: number;
}

/** The amounts that a question names, each for itself: 4년 and 300만원, not "1년 미만", "1년에 며칠" or 2024년; eight at most. */
export function amountsOf(question: string): Amount[] {
  return askedIn(question, (bound, behind) => bound === undefined && !COMPARES.test(behind));
}

/** The amounts that a question compares with: 5년 of "5년 이상" and "5년 넘게"; eight at most. */
export function comparedIn(question: string): Amount[] {
  return askedIn(question, (bound, behind) => bound !== undefined || /^[을를이가]?\s?넘/.test(behind));
}

function askedIn(question: string, isMeant: (bound: string | undefined, behind: string) => boolean): Amount[] {
  const text = question.normalize("NFKC");
  return namedIn(text)
    .filter(({ bound, end }) => isMeant(bound, text.slice(end, end + 20)))
    .slice(0, AMOUNTS_MAX)
    .map(({ value, unit }) => ({ value, unit }));
}

/** How a text stands to an amount. */
export type Standing = "holds" | "others" | "none";

/** Tells of amounts whether a text names them, or its range holds them, as `3년 이상 5년 미만` holds 4년; it names others of their unit; or none. */
export function standingIn(text: string): (amount: Amount) => Standing {
  const spelled = text
    .normalize("NFKC")
    .replace(SPAN, (_, from, its, to, of) => `${from}${its ?? of} 이상 ${to}${of} 이하`);
  const ways = spelled.split(OR).map((way) => namedIn(way).map(inParts));
  return (amount) => {
    const { value, unit } = inParts(amount);
    const alike = ways.map((named) => named.filter((other) => other.unit === unit)).filter(({ length }) => length > 0);
    if (alike.length === 0) return "none";
    const isHeld = alike.some((named) => {
      const bounds = named.filter(({ bound }) => bound !== undefined);
      return bounds.length > 0
        ? bounds.every((bound) => isWithin(value, bound))
        : named.some((other) => other.value === value);
    });
    return isHeld ? "holds" : "others";
  };
}

/** In the smaller unit where it has one: 12개월 of 1년. */
function inParts<A extends Amount>(amount: A): A {
  const [unit, parts] = PARTS[amount.unit] ?? [amount.unit, 1];
  return { ...amount, unit, value: Math.round(amount.value * parts * 1e6) / 1e6 };
}

function isWithin(value: number, { value: limit, bound }: Named): boolean {
  if (bound === "이상") return value >= limit;
  if (bound === "초과") return value > limit;
  return bound === "이하" ? value <= limit : value < limit;
}

/** The amounts of a text, in order; one with a smaller one right behind it is one of both. */
function namedIn(text: string): Named[] {
  const all: Named[] = [];
  for (const match of text.matchAll(BOUNDED)) {
    const [whole, number = "", written = "", bound] = match;
    const unit = SAME[written] ?? written;
    const value = numberOf(number);
    if (value === null || (unit === "년" && value >= YEAR_MIN) || (unit !== "원" && !/\d/.test(number))) continue;
    const named = { value, unit, bound, start: match.index, end: match.index + whole.trimEnd().length };
    const last = all.at(-1);
    const [part, parts] = PARTS[last?.unit ?? ""] ?? [];
    const isPart = last && !last.bound && part === unit && text.slice(last.end, named.start).trim() === "";
    if (isPart) all[all.length - 1] = { ...last, value: last.value + value / (parts ?? 1), bound, end: named.end };
    else all.push(named);
  }
  return all;
}

/** 25000000 of 2천5백만; null: it is no number. */
function numberOf(number: string): number | null {
  let [sum, below, digits] = [0, 0, Number.NaN];
  for (const [part] of number.matchAll(/[\d,.]+|\p{L}/gu)) {
    const one = Number.isNaN(digits) ? 1 : digits;
    const [small, large] = [SMALL[part], LARGE[part]];
    if (small !== undefined) below += one * small;
    else if (large !== undefined) {
      sum += (below + (Number.isNaN(digits) ? (below > 0 ? 0 : 1) : digits)) * large;
      below = 0;
    }
    digits = (small ?? large) ? Number.NaN : (DIGITS[part] ?? Number(part.replaceAll(",", "")));
  }
  const value = sum + below + (Number.isNaN(digits) ? 0 : digits);
  return number === "" || !Number.isFinite(value) ? null : value;
}
