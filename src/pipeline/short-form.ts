import { beginning } from "../text/beginning.ts";

/** Bulk below this is left: a reference would save nothing worth having. */
const LINES_MIN = 4;
const QUOTE_CHARACTERS_MIN = 200;
const REPEATED_CHARACTERS_MIN = 80;
/** Running text beyond this loses its middle. */
const TEXT_CHARACTERS_MAX = 1600;
const HINT_CHARACTERS_MAX = 60;

const CODE = /^```([^\n`]{0,40})\n([\s\S]*?)^```[^\n]*$/gm;
const TABLE = /(?:^[ \t]*\|[^\n]*\|[ \t]*(?:\n|$))+/gm;
const BLOCK_QUOTE = /(?:^>[^\n]*(?:\n|$))+/gm;
const QUOTATION = /[“「][^“「”」]{200,20000}[”」]|"[^"\n]{200,20000}"/g;

/** Behind a noun: nothing, or its particle. 표, 행 and 열 are also parts of other nouns: 목표, 은행, 여행, 행사, 열람. */
const NOUN_ENDS = String.raw`(?=$|[\s,.?!]|[의에를을가는은과도만로]|으로|부터|까지)`;
const NOUN_BEGINS = String.raw`(?<=^|[^\p{sc=Hangul}]|번째|첫|마지막)`;
const TABLES = String.raw`\btables?\b|\brows?\b|\bcolumns?\b|(?<![목대발투우좌])표${NOUN_ENDS}|${NOUN_BEGINS}[행열]${NOUN_ENDS}`;

/** The kinds of bulk that a reference names, by the words with which a reader asks for them. */
export const KINDS: Readonly<Record<string, RegExp>> = {
  table: new RegExp(TABLES, "iu"),
  code: /\bcode\b|\bsnippets?\b|\bscripts?\b|\bfunction\b|코드|스크립트|함수/iu,
  "quoted passage": /\bquot\w*|\bpassages?\b|\bcited?\b|인용|원문|구절/iu,
  text: /\bwhole\b|\bfull text\b|\boriginal\b|전체|전문|원문/iu,
};

/** Bounded, as a client that keeps its own history may send anything: without bounds its time grows by the cube. */
const REFERENCE = /\[(table|code|quoted passage|text)\b[^[\]\n]{0,80}: turn \d{1,9}(?:; ([^\]\n]{0,60}))?\]/g;

export interface Reference {
  readonly kind: string;
  /** How the bulk begins. */
  readonly hint: string;
  readonly reference: string;
}

/** The references in a short form. */
export function referencesIn(text: string): Reference[] {
  return [...text.matchAll(REFERENCE)].map(([reference, kind = "", hint = ""]) => ({ kind, hint, reference }));
}

/**
 * A text of turn `turn` with its bulk (code blocks, tables, quoted passages, text that stands in `seen` already, the middle of
 * what is very long) replaced by references such as `[table, 14 rows: turn 3; Name, Price]`. The original is kept in the store, so
 * that nothing is lost. Linear in the text's length. Its long paragraphs are added to `seen`, with their turn.
 */
export function shortForm(text: string, turn: number, seen: Map<string, number> = new Map()): string {
  const reference = (what: string, hint: string) => `[${what}: turn ${turn}${hintOf(hint)}]`;
  const short = text
    .replace(CODE, (whole, language: string, code: string) => {
      const lines = code.split("\n").length - 1;
      return lines < LINES_MIN
        ? whole
        : reference(`code${language.trim() && ` ${language.trim()}`}, ${lines} lines`, code);
    })
    .replace(TABLE, (whole) => {
      const rows = whole.trimEnd().split("\n").length - 2;
      const end = whole.endsWith("\n") ? "\n" : "";
      return rows < LINES_MIN ? whole : reference(`table, ${rows} rows`, whole.split("\n", 1)[0] ?? "") + end;
    })
    .replace(BLOCK_QUOTE, (whole) => {
      if (whole.length < QUOTE_CHARACTERS_MIN) return whole;
      return reference(`quoted passage, ${whole.length} characters`, whole) + (whole.endsWith("\n") ? "\n" : "");
    })
    .replace(QUOTATION, (whole) => reference(`quoted passage, ${whole.length} characters`, whole));
  return withoutMiddle(withoutRepetition(short, turn, seen), turn);
}

function hintOf(text: string): string {
  const line = text.replace(/[\s|>"“”「」]+/g, " ").trim();
  return line === "" ? "" : `; ${beginning(line, HINT_CHARACTERS_MAX).replaceAll("]", ")").trim()}`;
}

function withoutRepetition(text: string, turn: number, seen: Map<string, number>): string {
  return text
    .split("\n\n")
    .map((paragraph) => {
      const key = paragraph.replace(/\s+/g, " ").trim();
      if (key.length < REPEATED_CHARACTERS_MIN) return paragraph;
      const before = seen.get(key);
      if (before === undefined) seen.set(key, turn);
      return before === undefined ? paragraph : `[repeated text, ${key.length} characters: turn ${before}]`;
    })
    .join("\n\n");
}

function withoutMiddle(text: string, turn: number): string {
  if (text.length <= TEXT_CHARACTERS_MAX) return text;
  const half = TEXT_CHARACTERS_MAX / 2;
  const [head, tail] = [text.slice(0, half), text.slice(-half)];
  const left = text.length - TEXT_CHARACTERS_MAX;
  const reference = `[text, ${left} characters: turn ${turn}]`;
  return `${head.replace(/[\ud800-\udbff]$/, "")} ${reference} ${tail.replace(/^[\udc00-\udfff]/, "")}`;
}
