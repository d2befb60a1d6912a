import { RaglineError } from "../errors.ts";
import type { TokenCounter } from "../ports/token-counter.ts";
import { sum } from "../statistics.ts";
import type { Block } from "./document.ts";
import { Introductions, introduces, isCaption } from "./introductions.ts";
import { type PageRange, pagesAcross, pagesBetween } from "./pages.ts";
import { type BodyBlock, type Section, toSections } from "./sections.ts";
import { type Piece, pack, splitLines, splitProse, UNITS_PER_TOKEN_MAX } from "./split.ts";

export interface ChunkOptions {
  /** New text in a chunk, in tokens; a little more where a tail would be left over. At least 16. */
  readonly targetTokens: number;
  /** Repeated from the chunk before, on top of the target, in tokens. At most half the target; 0: none. */
  readonly overlapTokens: number;
}

export interface Chunk extends PageRange {
  readonly text: string;
  /** The headings above it, outermost first. */
  readonly headings: readonly string[];
  readonly tokens: number;
}

/** A table or code block of up to this many times the target stays whole. No chunk is longer. */
export const HARD_LIMIT_FACTOR = 4;

/** Less than this share of the target is not worth a passage of its own: it goes with its neighbour. */
const TINY_SHARE = 1 / 4;

/**
 * Cuts a document into passages along its structure.
 *
 * 1. A section of at most `targetTokens` is one chunk. A longer one is cut between blocks, then sentences, lines of
 *    lists, words, characters.
 * 2. No chunk crosses a heading, except that neighbouring sections which together have at most a quarter of the target
 *    share one, with their headings in its text.
 * 3. Tables and code blocks stay whole up to 4 × `targetTokens`; beyond, they are cut between lines, and every part of a
 *    table starts with its header row.
 * 4. Text that goes on in the next chunk of a section repeats its last sentences there, up to `overlapTokens`, and where it is a list
 *    what introduces the entries, up to a quarter of the target. What introduces a list or a table, or is its caption, goes with it.
 * 5. Where a page begins with a block of its own, a passage of at least half the target ends before it.
 * 6. Deterministic; time linear in the text.
 * @throws RaglineError `config_invalid` for options out of range.
 */
export function chunk(blocks: readonly Block[], options: ChunkOptions, counter: TokenCounter): Chunk[] {
  return [...chunks(blocks, options, counter)].filter((cut) => cut !== null);
}

/** `chunk`, one at a time, so that a caller can let other work run in between. Null: what was read gave none. */
export function* chunks(
  blocks: readonly Block[],
  options: ChunkOptions,
  counter: TokenCounter,
): Generator<Chunk | null, void, undefined> {
  validate(options);
  const tinyTokens = options.targetTokens * TINY_SHARE;
  let pending: Sized | null = null;
  for (const section of toSections(blocks)) {
    const sized = measure(section, options, counter);
    const joined: Sized | null =
      pending && pending.tokens + sized.tokens <= tinyTokens ? join(pending, section, options, counter) : null;
    if (joined && joined.tokens <= tinyTokens) pending = joined;
    else {
      if (pending) yield* cut(pending, options, counter);
      pending = sized;
    }
  }
  if (pending) yield* cut(pending, options, counter);
}

function validate({ targetTokens, overlapTokens }: ChunkOptions): void {
  if (!Number.isInteger(targetTokens) || targetTokens < 16) {
    throw new RaglineError(
      "config_invalid",
      `chunk targetTokens must be a whole number of at least 16, not ${targetTokens}`,
    );
  }
  if (!Number.isInteger(overlapTokens) || overlapTokens < 0 || overlapTokens > targetTokens / 2) {
    throw new RaglineError(
      "config_invalid",
      `chunk overlapTokens must be a whole number from 0 to half of targetTokens (${targetTokens}), not ${overlapTokens}`,
    );
  }
}

interface Sized extends Section {
  readonly text: string;
  readonly tokens: number;
}

function measure(section: Section, options: ChunkOptions, counter: TokenCounter): Sized {
  const text = section.blocks.map((block) => block.text).join("\n\n");
  const isLong = text.length > options.targetTokens * UNITS_PER_TOKEN_MAX;
  return { ...section, text, tokens: isLong ? Number.POSITIVE_INFINITY : counter.count(text) };
}

/** Two sections as one, under the headings that they share; the other headings become text. */
function join(first: Section, second: Section, options: ChunkOptions, counter: TokenCounter): Sized {
  const differs = first.headings.findIndex((heading, i) => heading !== second.headings[i]);
  const shared = differs === -1 ? first.headings : first.headings.slice(0, differs);
  const withHeadings = ({ headings, blocks }: Section): BodyBlock[] => [
    ...headings.slice(shared.length).map((text): BodyBlock => ({ kind: "text", text })),
    ...blocks,
  ];
  return measure({ headings: shared, blocks: [...withHeadings(first), ...withHeadings(second)] }, options, counter);
}

/** A piece on its way into a chunk. `separator`, counted in `tokens`, stands before it unless it comes first. */
interface Unit extends Piece, PageRange {
  readonly separator: string;
  /** Prose may be repeated as overlap. */
  readonly isProse: boolean;
  /** A block begins with it. */
  readonly isStart: boolean;
  readonly isCaption: boolean;
}

function* cut(section: Sized, options: ChunkOptions, counter: TokenCounter): Generator<Chunk | null, void, undefined> {
  const { headings, text, tokens } = section;
  if (tokens <= options.targetTokens) {
    if (text.trim() !== "") yield { text, headings, tokens, ...pagesOfAll(section.blocks) };
    return;
  }
  for (const group of groupUnits(toUnits(section.blocks, options, counter), options)) {
    const joined = group.map((unit, i) => (i === 0 ? unit.text : unit.separator + unit.text)).join("");
    const trimmed = joined.replace(/^\n+/, "").trimEnd();
    yield trimmed === "" ? null : { text: trimmed, headings, tokens: counter.count(trimmed), ...pagesAcross(group) };
  }
}

function pagesOfAll(blocks: readonly BodyBlock[]): PageRange {
  return pagesAcross(blocks.map((block) => pagesBetween(block, 0, block.text.length)));
}

function* groupUnits(units: Iterable<Unit>, options: ChunkOptions): Generator<Unit[], void, undefined> {
  const { targetTokens, overlapTokens } = options;
  const tinyTokens = targetTokens * TINY_SHARE;
  const repeatedMax = overlapTokens > 0 ? overlapTokens + tinyTokens : 0;
  const introductions = new Introductions<Unit>();
  let group: Unit[] = [];
  let size = 0;
  for (const { unit, isTail } of withTails(units, tinyTokens)) {
    introductions.read(unit);
    const isFull = size > 0 && size + unit.tokens > targetTokens;
    const leavesTiny = size <= tinyTokens || isTail;
    const fits = size + unit.tokens <= targetTokens * HARD_LIMIT_FACTOR - repeatedMax;
    const endsPage = size >= targetTokens / 2 && unit.isStart && turnsPage(group.at(-1), unit) && !isTail;
    if (endsPage || (isFull && !(leavesTiny && fits))) {
      const moved = introductionsOf(group, unit, Math.min(tinyTokens, size - 1));
      yield group.slice(0, group.length - moved.length);
      const repeated = repeatedOf(introductions.open, group, options);
      group = moved.length > 0 ? moved : unit.isProse && !endsPage ? repeated : [];
      size = sum(moved.map(({ tokens }) => tokens));
    }
    group.push(unit);
    size += unit.tokens;
  }
  if (size > 0) yield group;
}

/** What at the end of a group introduces the unit behind it. */
function introductionsOf(group: readonly Unit[], next: Unit, tokensMax: number): Unit[] {
  let tokens = 0;
  let start = group.length;
  for (; start > 1; start--) {
    const unit = group[start - 1] as Unit;
    const isIntroduction = introduces(unit.text) || (unit.isCaption && !next.isProse && next.isStart);
    if (!isIntroduction || tokens + unit.tokens > tokensMax) break;
    tokens += unit.tokens;
  }
  return group.slice(start);
}

/** What a group's continuation repeats: what introduces its entries, and the last of its sentences. */
function repeatedOf(
  open: readonly Unit[],
  group: readonly Unit[],
  { targetTokens, overlapTokens }: ChunkOptions,
): Unit[] {
  const last = overlapOf(group, overlapTokens);
  const introducing = open.filter((unit) => !last.includes(unit));
  const isShort = sum(introducing.map(({ tokens }) => tokens)) <= targetTokens * TINY_SHARE;
  return isShort && overlapTokens > 0 ? [...introducing, ...last] : last;
}

function turnsPage(before: Unit | undefined, { page }: Unit): boolean {
  return before !== undefined && page !== undefined && page > (before.pageEnd ?? before.page ?? page);
}

/** Every unit, and whether it and all after it have at most `tokensMax` tokens. Looks no further ahead than that. */
function* withTails(units: Iterable<Unit>, tokensMax: number) {
  const ahead: Unit[] = [];
  let tokens = 0;
  for (const unit of units) {
    ahead.push(unit);
    tokens += unit.tokens;
    while (tokens > tokensMax) {
      const next = ahead.shift();
      if (!next) break;
      tokens -= next.tokens;
      yield { unit: next, isTail: false };
    }
  }
  for (const unit of ahead) yield { unit, isTail: true };
}

/** The last whole sentences of a group, of at most `tokensMax` tokens together. */
function overlapOf(group: readonly Unit[], tokensMax: number): Unit[] {
  let tokens = 0;
  let start = group.length;
  for (; start > 1; start--) {
    const unit = group[start - 1];
    if (!unit?.isProse || tokens + unit.tokens > tokensMax) break;
    tokens += unit.tokens;
  }
  return group.slice(start);
}

function* toUnits(blocks: readonly BodyBlock[], options: ChunkOptions, counter: TokenCounter): Generator<Unit> {
  for (const block of blocks) {
    const isProse = block.kind === "text" || block.kind === "list";
    const isShort = block.kind === "text" && isCaption(block.text);
    let start = 0;
    for (const { text, tokens } of toPieces(block, options.targetTokens, counter)) {
      const isStart = start === 0;
      const pages = pagesBetween(block, start, start + text.trimEnd().length);
      yield {
        text,
        tokens: isStart ? tokens + 1 : tokens,
        separator: isStart ? "\n\n" : "",
        isProse,
        isStart,
        isCaption: isShort,
        ...pages,
      };
      start += text.length;
    }
  }
}

function toPieces(block: BodyBlock, targetTokens: number, counter: TokenCounter): Iterable<Piece> {
  if (block.kind === "text") return splitProse(block.text, targetTokens, counter);
  if (block.kind === "list") return splitLines(block.text, targetTokens, counter);
  return splitWhole(block, targetTokens, counter);
}

/** A table or code block: whole, or cut between lines. */
function* splitWhole({ kind, text }: BodyBlock, targetTokens: number, counter: TokenCounter): Generator<Piece> {
  const wholeTokensMax = targetTokens * HARD_LIMIT_FACTOR;
  const tokens = text.length > wholeTokensMax * UNITS_PER_TOKEN_MAX ? Number.POSITIVE_INFINITY : counter.count(text);
  if (tokens <= wholeTokensMax) {
    yield { text, tokens };
    return;
  }
  const lineEnd = kind === "table" ? text.indexOf("\n") + 1 : 0;
  const header = text.slice(0, lineEnd);
  const headerTokens = counter.count(header);
  const repeats = headerTokens > 0 && headerTokens <= targetTokens / 2;
  const room = repeats ? targetTokens - headerTokens : targetTokens;
  for (const part of pack(splitLines(repeats ? text.slice(lineEnd) : text, room, counter), room)) {
    yield repeats ? { text: header + part.text, tokens: headerTokens + part.tokens } : part;
  }
}
