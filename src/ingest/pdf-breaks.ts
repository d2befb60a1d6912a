import type { Line } from "./pdf-lines.ts";

/** Whether a word goes on from one line to the next. */
export type GoesOn = (line: Line, next: Line) => boolean;

const HANGUL = /\p{sc=Hangul}/u;
/** Two characters that may belong to one word, a space between them or not, and those around them. */
const NEIGHBOURS =
  /(?<=(?<before>.?))(?<last>[\p{sc=Hangul}\d])(?<space> ?)(?=(?<first>[\p{sc=Hangul}\d])(?<after>.?))/gu;

/** Of files whose lines end in a space where a word ends, so many of their Korean lines do. */
const SPACES_SHARE = 0.2;
/** Where lines end at any character, so many of them end a word. */
const WORD_ENDS_SHARE = 1 / 3;
/** As a logarithm: how much likelier it must be that lines end at any character than that all of them end a word. */
const EVIDENCE_MIN = 3;
/** Places that tell enough; all of a long book would take seconds. */
const COUNTED_MAX = 100_000;
/** In sizes of the text. */
const ROOM = 2;

/**
 * How lines of a file break, found out from its paragraphs. Some files end a line in a space where a word ends. In others Korean breaks
 * between words, or at any character, and looks the same: there the words within lines tell which characters end a word and begin one.
 */
export function breaksOf(paragraphs: readonly (readonly Line[])[]): GoesOn {
  const breaks = paragraphs.flatMap((lines) => lines.slice(1).map((next, i) => [lines[i] as Line, next] as const));
  const korean = breaks.filter(([line, next]) => isKorean(line, next));
  const spaces = korean.filter(([{ endsWithSpace }]) => endsWithSpace).length;
  if (spaces > korean.length * SPACES_SHARE) return (line, next) => !line.endsWithSpace && isKorean(line, next);
  const oddsOf = wordEndOdds(paragraphs.flat());
  const evidence = korean.reduce(
    (sum, [line, next]) => sum + Math.log(WORD_ENDS_SHARE + (1 - WORD_ENDS_SHARE) / oddsOf(line, next)),
    0,
  );
  if (evidence < EVIDENCE_MIN) return () => false;
  return (line, next) => !hasRoom(line, next) && oddsOf(line, next) * WORD_ENDS_SHARE < 1 - WORD_ENDS_SHARE;
}

/** Whether more characters would have fitted, as behind a heading: the next line goes on farther to the right. */
function hasRoom(line: Line, next: Line): boolean {
  return line.x + line.width < next.x + next.width - line.size * ROOM;
}

function isKorean(line: Line, next: Line): boolean {
  return HANGUL.test(line.text.slice(-1)) && HANGUL.test(next.text.charAt(0));
}

interface Counts {
  between: number;
  within: number;
}

/** How much likelier what a break stands between is where a word ends than within one: infinitely, where no word can go on. */
function wordEndOdds(lines: readonly Line[]): (line: Line, next: Line) => number {
  const total: Counts = { between: 0, within: 0 };
  const counted = new Map<string, Counts>();
  for (const { text } of lines) {
    if (total.between + total.within > COUNTED_MAX) break;
    for (const { groups = {} } of text.matchAll(NEIGHBOURS)) {
      const place = groups.space === "" ? "within" : "between";
      total[place]++;
      for (const mark of Object.values(marksOf(groups)).flat()) {
        const counts = counted.get(mark) ?? { between: 0, within: 0 };
        counts[place]++;
        counted.set(mark, counts);
      }
    }
  }
  /** `odds`: as they are known without the mark. They weigh as much as one that was seen. */
  const refined = (odds: number, mark: string) => {
    const { between, within } = counted.get(mark) ?? { between: 0, within: 0 };
    const known = 1 / (total.between + total.within);
    return (between / total.between + known * Math.sqrt(odds)) / (within / total.within + known / Math.sqrt(odds));
  };
  return (line, next) => {
    const [match] = `${line.text.slice(-2)}\n${next.text.slice(0, 2)}`.matchAll(BREAK);
    if (!match?.groups || total.between === 0 || total.within === 0) return Number.POSITIVE_INFINITY;
    const { ends, begins, meets } = marksOf(match.groups);
    return refined(ends.reduce(refined, 1) * begins.reduce(refined, 1), meets);
  };
}

const BREAK = /(?<before>.?)(?<last>[\p{sc=Hangul}\d])\n(?<first>[\p{sc=Hangul}\d])(?<after>.?)/gu;

/**
 * What is counted around a place, the less telling first: how a word ends, how one begins, each beside Hangul or a digit, and what meets.
 */
function marksOf(groups: Readonly<Record<string, string>>) {
  const [before = "", last = "", first = "", after = ""] = [groups.before, groups.last, groups.first, groups.after].map(
    (character) => character?.replace(/\d/, "0"),
  );
  const kindOf = (character: string) => (character === "0" ? "0" : "가");
  const end = `-${kindOf(first)}`;
  const beginning = `${kindOf(last)}-`;
  return {
    ends: [`${last}${end}<`, `${before}${last}${end}<`],
    begins: [`>${beginning}${first}`, `>${beginning}${first}${after}`],
    meets: `${last}-${first}`,
  };
}
