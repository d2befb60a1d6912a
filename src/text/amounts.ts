const FACTORS: Readonly<Record<string, number>> = { 십: 10, 백: 100, 천: 1_000, 만: 1e4, 억: 1e8 };
const UNIT = "원|년|개월|주|일|시간|분|회|번|명|인|세|살|점|km|%|퍼센트";
/** `3년`, `50,000원`, `1천만원`, `백만 원` */
const AMOUNT = String.raw`(?<![\d.,])(\d[\d,]{0,20}(?:\.\d{1,9})?)?\s?([십백천]?[만억]?)\s?(${UNIT})`;
const BOUND = "이상|초과|이하|미만";
/** An amount, and what makes a bound of it. */
const BOUNDED = new RegExp(String.raw`${AMOUNT}\s?(${BOUND})?`, "gu");
/** Behind an amount that a question asks about: it means more, or less. */
const COMPARES = new RegExp(
  String.raw`^(?:차|짜리)?(?:을|를|이|가)?\s?(?:${BOUND}|넘|안\s?[되된됐돼]|까지|부터|전|후|이내|마다|당)`,
  "u",
);
/** Units of the same, by one of them. */
const SAME: Readonly<Record<string, string>> = { 번: "회", 인: "명", 살: "세", 퍼센트: "%" };

export interface Amount {
  readonly value: number;
  readonly unit: string;
}

/** The amounts that a question names, each for itself: 4년 and 300만원, not "1년 미만". */
export function amountsOf(question: string): Amount[] {
  return [...question.matchAll(BOUNDED)].flatMap((match) => {
    const behind = question.slice(match.index + match[0].length - (match[4] ?? "").length);
    return match[4] || COMPARES.test(behind) ? [] : amountIn(match);
  });
}

/** How a text stands to an amount: its range holds it, as `3년 이상 5년 미만` holds 4년; it names others of its unit; or none. */
export function rangeOf(text: string, { value, unit }: Amount): "holds" | "others" | "none" {
  const alike = [...text.matchAll(BOUNDED)]
    .flatMap((match) => amountIn(match).map((amount) => ({ ...amount, bound: match[4] })))
    .filter((named) => named.unit === unit);
  if (alike.length === 0) return "none";
  const bounds = alike.filter(({ bound }) => bound !== undefined);
  const isHeld = bounds.every(({ value: limit, bound }) =>
    bound === "이상"
      ? value >= limit
      : bound === "초과"
        ? value > limit
        : bound === "이하"
          ? value <= limit
          : value < limit,
  );
  return bounds.length > 0 && isHeld ? "holds" : "others";
}

function amountIn([, number, factors = "", unit = ""]: RegExpMatchArray): Amount[] {
  if (number === undefined && (factors === "" || unit !== "원")) return [];
  const factor = [...factors].reduce((product, one) => product * (FACTORS[one] ?? 1), 1);
  return [{ value: Number(number?.replaceAll(",", "") ?? 1) * factor, unit: SAME[unit] ?? unit }];
}
