import { type Amount, amountsOf, standingIn } from "../../text/amounts.ts";
import { isCounted, type Term } from "../../text/terms.ts";
import type { Quote } from "./quotes.ts";

/** A quote, and what it holds of a question. */
export interface Weighed extends Quote {
  /** How much of each of the question's words it, or what stands above it, holds. */
  readonly shares: readonly number[];
  /** How much it holds itself. */
  readonly inside: readonly number[];
}

/** Rows of a table, or items of a list, that are quoted together. */
const ROWS_MAX = 20;
/** Where the next cell of a row begins, and its column's name. */
const CELL = /, (?=[^,:]{1,40}: )/;
const COLUMN = /^[^,:]{1,40}: /;
/** What stands between the things that a row names. */
const BETWEEN = /: |\s*[,·/()]\s*/;
const HANGUL = /^\p{sc=Hangul}+$/u;
const NUMBER = /\d/;
const RANGE = /이상|초과|이하|미만/;
/** A number with its unit, or a code. */
const NUMBERED = /[\p{L}\p{N}-]*\d[\p{L}\p{N}-]*/gu;

/** The rows, items, commands or answers behind a sentence that says so. */
export function announcedBy<Q extends Weighed>({ source, position }: Weighed, all: readonly Q[]): Q[] {
  return all.filter((quote) => quote.source === source && quote.announcedAt === position);
}

/** The rows or items of a quote's table or list. */
export function listOf<Q extends Weighed>({ source, listAt }: Weighed, all: readonly Q[]): Q[] {
  return listAt === undefined ? [] : all.filter((quote) => quote.source === source && quote.listAt === listAt);
}

/**
 * Those that hold most, all where none holds anything: what tells no row from another quotes every one, or nobody would see that some
 * are missing. Beyond `ROWS_MAX` an ellipsis stands for the rest.
 */
export function mostOf<Q extends Weighed>(rows: readonly Q[], holds: (row: Q) => number): Q[] {
  const counts = rows.map(holds);
  const most = Math.max(...counts);
  const even = rows.filter((_, i) => counts[i] === most).sort((a, b) => a.position - b.position);
  const next = even[ROWS_MAX];
  return next ? [...even.slice(0, ROWS_MAX), { ...next, text: "…", position: next.position - 0.5 }] : even;
}

/**
 * Without rows that name other amounts than the question's in a column where another row of their table holds one: 4년 in
 * `3년 이상 5년 미만`. A row that holds one of several stays.
 */
export function ofAmounts<Q extends Quote>(quotes: readonly Q[], amounts: readonly Amount[]): readonly Q[] {
  if (amounts.length === 0) return quotes;
  const others = new Set<Q>();
  for (const rows of tablesOf(quotes)) {
    const cells = rows.map(({ text }) => text.split(CELL).map((cell) => standingOf(cell, amounts)));
    const columns = new Set(cells.flatMap((row) => row.filter(({ isHeld }) => isHeld).map(({ column }) => column)));
    for (const [at, row] of cells.entries()) {
      const isOther = row.some(({ column, isOther }) => isOther && columns.has(column));
      if (isOther && !row.some(({ isHeld }) => isHeld)) others.add(rows[at] as Q);
    }
  }
  return quotes.filter((quote) => !others.has(quote));
}

/** How a cell, behind its column's name, stands to amounts. */
function standingOf(cell: string, amounts: readonly Amount[]) {
  const column = COLUMN.exec(cell)?.[0] ?? "";
  const standings = amounts.map(standingIn(cell.slice(column.length)));
  const isHeld = standings.includes("holds");
  return { column, isHeld, isOther: !isHeld && standings.includes("others") };
}

function tablesOf<Q extends Quote>(quotes: readonly Q[]): Iterable<Q[]> {
  const rows = quotes.filter(({ isRow }) => isRow);
  return Map.groupBy(rows, ({ source, listAt }) => `${source.n} ${listAt}`).values();
}

/** How much of each of a question's words a row holds, and which as all that a cell, or an item of one, says. */
interface Pattern {
  readonly shares: readonly number[];
  readonly whole: readonly boolean[];
}

/**
 * Without rows that say less than another of their table, which holds all of the question that they do, and more: a word of which they
 * hold nothing, or which is a cell of that one and no cell of theirs (부모, and 조부모). Where a table has no ranges, a number that is
 * compared with (5년 이상) tells no rows apart.
 */
export function withoutLess<Q extends Weighed>(
  quotes: readonly Q[],
  terms: readonly Term[],
  compared: readonly Amount[],
): Q[] {
  const isCompared = terms.map((term) => isOneOf(term, compared));
  const less = new Set<Q>();
  for (const rows of tablesOf(quotes)) {
    const hasRanges = rows.some(({ text }) => RANGE.test(text));
    const tells = isCompared.map((is) => hasRanges || !is);
    const alike = Map.groupBy(rows, (row) => JSON.stringify(patternOf(row, terms, tells)));
    const patterns = [...alike.keys()].map((key): Pattern => JSON.parse(key));
    for (const [at, same] of [...alike.values()].entries()) {
      const own = patterns[at] as Pattern;
      if (patterns.some((other) => saysMore(other, own))) for (const row of same) less.add(row);
    }
  }
  return quotes.filter((quote) => !less.has(quote));
}

/** Whether a term is the number of one of those amounts. */
function isOneOf(term: Term, amounts: readonly Amount[]): boolean {
  const [named] = amounts.length > 0 && isCounted(term) ? amountsOf(term.word) : [];
  return named !== undefined && amounts.some(({ value, unit }) => value === named.value && unit === named.unit);
}

function patternOf({ text, shares }: Weighed, terms: readonly Term[], tells: readonly boolean[]): Pattern {
  const items = new Set(text.toLowerCase().split(BETWEEN));
  const words = new Set(text.toLowerCase().match(NUMBERED));
  return {
    shares: shares.filter((_, t) => tells[t]),
    whole: terms
      .filter((_, t) => tells[t])
      .map(({ word }) => (NUMBER.test(word) ? words.has(word) : HANGUL.test(word) && items.has(word))),
  };
}

function saysMore(other: Pattern, own: Pattern): boolean {
  const compared = own.shares.map((share, t) => {
    const gain = (other.shares[t] ?? 0) - share;
    const whole = Number(other.whole[t]) - Number(own.whole[t]);
    return { isLess: gain < 0 || whole < 0, isMore: whole > 0 || (gain > 0 && share === 0) };
  });
  return compared.some(({ isMore }) => isMore) && !compared.some(({ isLess }) => isLess);
}
