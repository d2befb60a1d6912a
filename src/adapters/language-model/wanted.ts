/** Amounts and times that a question asks for, and how an answer writes them. */
const ASKED: readonly (readonly [asks: RegExp, form: RegExp])[] = [
  [/며칠|몇 ?일/, /\d\s*(?:영업|근무)?일|[하이사]흘/],
  [
    /얼마나 자주/,
    /\d\s*(?:회|번|차례)|[한두세네]\s?번|매[년월주일시]|\d\s*(?:년|개월|달|주|일|시간|분)\s*(?:마다|간격)|격[주월]|수시/,
  ],
  [/얼마|how much/i, /\d\s*(?:원|[만천억]|%|퍼센트|달러|배|시간|분|일|개월|년)|[$€£₩]\s*\d|\d\s*(?:percent|dollars)/i],
  [
    /how (?:many|long|often|old|far)\b/i,
    /\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|once|twice|daily|weekly|monthly)\b/i,
  ],
  [
    /언제|when\b/i,
    /\d\s*(?:년|월|일|시|분)|\d{4}[.-]|[월화수목금토일]요일|매[년월주일]|\b(?:19|20)\d\d\b|\d\s*(?:[ap]\.?m|days?|weeks?|months?|hours?)\b/i,
  ],
];
/** 몇 명, 몇 시간: how many of what. */
const COUNTED = /몇\s*(\p{sc=Hangul}|%)/u;

/** What a text must hold to answer a question for an amount or a time; null: it asks for something else. */
export function wantedForm(question: string): RegExp | null {
  const found = ASKED.find(([asks]) => asks.test(question));
  if (found) return found[1];
  const unit = COUNTED.exec(question)?.[1];
  return unit === undefined ? null : new RegExp(`[\\d수한두세네]\\s*${unit}`, "u");
}
