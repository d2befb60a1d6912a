const ROMAN: readonly (readonly [number, string])[] = [
  [1000, "M"],
  [900, "CM"],
  [500, "D"],
  [400, "CD"],
  [100, "C"],
  [90, "XC"],
  [50, "L"],
  [40, "XL"],
  [10, "X"],
  [9, "IX"],
  [5, "V"],
  [4, "IV"],
  [1, "I"],
];
/** What a larger number is written as is of no use to anybody, and long. */
const LETTERS_MAX = 8;
const GANADA = "가나다라마바사아자차카타파하";

/** How a numeral is written: by a rule, or by one of these characters from 1 on, else in digits. */
type Numerals = ((number: number) => string) | string;

const letters = (all: string) => (number: number) =>
  number > all.length * LETTERS_MAX
    ? String(number)
    : (all[(number - 1) % all.length] ?? "").repeat(Math.ceil(number / all.length));
const upperLetter = letters("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
const lowerLetter = letters("abcdefghijklmnopqrstuvwxyz");
const lowerRoman = (number: number) => upperRoman(number).toLowerCase();
const circled = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳㉑㉒㉓㉔㉕㉖㉗㉘㉙㉚㉛㉜㉝㉞㉟㊱㊲㊳㊴㊵㊶㊷㊸㊹㊺㊻㊼㊽㊾㊿";
const korean = counted("일이삼사오육칠팔구", "십백천");
const chinese = counted("一二三四五六七八九", "十百千");
const jamo = "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ";

/** By their names in Office Open XML (ECMA-376, 17.18.59) and in OWPML. */
const NUMERALS: Readonly<Record<string, Numerals>> = {
  decimalZero: (number) => String(number).padStart(2, "0"),
  numberInDash: (number) => `- ${number} -`,
  upperRoman,
  ROMAN_CAPITAL: upperRoman,
  lowerRoman,
  ROMAN_SMALL: lowerRoman,
  upperLetter,
  LATIN_CAPITAL: upperLetter,
  lowerLetter,
  LATIN_SMALL: lowerLetter,
  CIRCLED_LATIN_CAPITAL: "ⒶⒷⒸⒹⒺⒻⒼⒽⒾⒿⓀⓁⓂⓃⓄⓅⓆⓇⓈⓉⓊⓋⓌⓍⓎⓏ",
  CIRCLED_LATIN_SMALL: "ⓐⓑⓒⓓⓔⓕⓖⓗⓘⓙⓚⓛⓜⓝⓞⓟⓠⓡⓢⓣⓤⓥⓦⓧⓨⓩ",
  decimalEnclosedCircle: circled,
  CIRCLED_DIGIT: circled,
  decimalEnclosedParen: "⑴⑵⑶⑷⑸⑹⑺⑻⑼⑽⑾⑿⒀⒁⒂⒃⒄⒅⒆⒇",
  decimalEnclosedFullstop: "⒈⒉⒊⒋⒌⒍⒎⒏⒐⒑⒒⒓⒔⒕⒖⒗⒘⒙⒚⒛",
  ganada: letters(GANADA),
  HANGUL_SYLLABLE: `${GANADA}거너더러머버서어저처커터퍼허`,
  CIRCLED_HANGUL_SYLLABLE: "㉮㉯㉰㉱㉲㉳㉴㉵㉶㉷㉸㉹㉺㉻",
  chosung: letters(jamo),
  HANGUL_JAMO: jamo,
  CIRCLED_HANGUL_JAMO: "㉠㉡㉢㉣㉤㉥㉦㉧㉨㉩㉪㉫㉬㉭",
  koreanDigital: korean,
  koreanCounting: korean,
  HANGUL_PHONETIC: korean,
  koreanDigital2: chinese,
  ideographDigital: chinese,
  chineseCounting: chinese,
  chineseCountingThousand: chinese,
  japaneseCounting: chinese,
  taiwaneseCounting: chinese,
  IDEOGRAPH: chinese,
  CIRCLED_IDEOGRAPH: "㊀㊁㊂㊃㊄㊅㊆㊇㊈㊉",
  DECAGON_CIRCLE: "갑을병정무기경신임계",
  DECAGON_CIRCLE_HANJA: "甲乙丙丁戊己庚辛壬癸",
};

/** A number from 1 as this format writes it; in digits, where it is not known or does not reach so far. */
export function numeral(number: number, format: string): string {
  const numerals = Object.hasOwn(NUMERALS, format) ? NUMERALS[format] : undefined;
  if (numerals === undefined || number < 1) return String(number);
  if (typeof numerals === "function") return numerals(number);
  return [...numerals][number - 1] ?? String(number);
}

function upperRoman(number: number): string {
  if (number >= 4000) return String(number);
  let left = number;
  let written = "";
  for (const [value, letter] of ROMAN) {
    for (; left >= value; left -= value) written += letter;
  }
  return written;
}

/** As numbers are said, up to 9,999: 십일, 이십. */
function counted(digits: string, powers: string) {
  return (number: number) => {
    if (number > 9_999) return String(number);
    const said = [...String(number)].map((digit, i, { length }) => {
      const power = powers[length - i - 2] ?? "";
      if (digit === "0") return "";
      return (digit === "1" && power !== "" ? "" : (digits[Number(digit) - 1] ?? "")) + power;
    });
    return said.join("");
  };
}

/** Of what stands before a paragraph, in UTF-16 units. */
const LENGTH_MAX = 100;

/** One level of automatic numbering. */
export interface Level {
  readonly format: string;
  readonly start: number;
  /** Of the number of a level, from 0. */
  readonly parts: readonly (string | number)[];
  /** The level above, from 0, whose numbers begin it anew; absent: any. Null: none. */
  readonly restart?: number | null;
  /** All its numbers are in digits. */
  readonly isDigits?: boolean;
}

/** The numbers of one series of paragraphs. */
export class Numbering {
  readonly #counts: (number | undefined)[] = [];

  /** What stands before the next paragraph at this level. */
  next(levels: readonly Level[], at: number): string {
    const level = levels[at];
    if (!level) return "";
    const before = this.#counts[at];
    this.#counts[at] = before === undefined ? level.start : before + 1;
    for (let below = at + 1; below < levels.length; below++) {
      const { restart } = levels[below] ?? {};
      if (restart === undefined || (restart !== null && at <= restart)) this.#counts[below] = undefined;
    }
    return level.parts
      .map((part) => {
        if (typeof part === "string") return part;
        const { format = "", start = 1 } = levels[part] ?? {};
        return numeral(this.#counts[part] ?? start, level.isDigits ? "" : format);
      })
      .join("")
      .slice(0, LENGTH_MAX);
  }

  /** The next number at this level, whatever came before. */
  restart(at: number, start: number): void {
    this.#counts[at] = start - 1;
  }
}
