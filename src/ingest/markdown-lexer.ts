import { getDefaults, Lexer, type Token, Tokenizer, type Tokens } from "marked";
import { RaglineError } from "../errors.ts";

/** Cells of all tables of a document together, short rows counted at the width of their header, to which they are filled. */
const TABLE_CELLS_MAX = 250_000;

/** UTF-16 units looked through for closing marks that are not there, for each unit of the document. */
const VAIN_SEARCH_FACTOR = 10;

/** UTF-16 units whose inline marks are parsed at once: the time of that is quadratic at worst. */
const INLINE_LENGTH_MAX = 1_500;

/** Where a longer text is cut, best first: few marks reach across the end of a line or sentence. */
const CUTS = ["\n", ". ", " "];

/**
 * Lines that open a hundred lists or quotations inside one another, or an entry indented as far. Every level is parsed
 * again by the level above, so depth without a limit costs quadratic time.
 */
const DEEP_LINE =
  /^(?:[^\S\n]*(?:>|[-*+](?=\s)|\d{1,9}[.)](?=\s))){100}.*$|^[ \t]{200,}(?:[-*+]|\d{1,9}[.)])[ \t].*$/gm;

/** A thematic break, however wide, opens nothing. */
const RULE_LINE = /^\s*([-*])(?:[ \t]*\1)+\s*$/;

/** A bare address, without the punctuation that ends a sentence or a mark. */
const ADDRESS = /^(?:https?:\/\/|ftp:\/\/|www\.)[^\s<]*[^\s<?!.,:;*_'"~()&]/i;

/** Emphasis without emphasis inside: its mark, its text. */
const EMPHASIS = /^(\*{1,3})(?=[^\s*])((?:\\.|`[^`\n]*`|[^\\*`])*[^\s*\\])\1(?!\*)/s;
/** Within words `__` is none in CommonMark, so that a particle behind it would keep the mark: `__연차__는`. */
const UNDERSCORED = /^(__)(?=[^\s_])((?:\\.|`[^`\n]*`|[^\\_`]|_(?!_))*[^\s_\\])__(?!_)/s;
const PUNCTUATION = /[\p{P}\p{S}]/u;
/** What is written without spaces around it, but for punctuation. */
const UNSPACED = /[\p{sc=Hangul}\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}]/u;

/** Where a reference leads; anything else behind `[비고]:` is text. */
const TARGET = /^(?:[a-z][a-z\d+.-]*:|<|#|\.{0,2}\/)|^[^@]*\.[a-z]{2,5}(?:[#?]|$)/i;

/** `[[문서]]`, `[[문서|shown]]`, `![[picture]]`, as Obsidian and wikis link. */
const WIKI_LINK = /^!?\[\[([^\s[\]|][^[\]\n|]{0,300})(?:\|([^[\]\n]{1,300}))?\]\](?!\()/;

/** Text up to what may be a mark, an address or a hard line break. */
const INLINE_TEXT =
  /^(?:[`~]+|[^`~])(?:(?= {2,}\n)|[\s\S]*?(?:(?=[\\<![`*~_]|https?:\/\/|ftp:\/\/|www\.|$)|[^ ](?= {2,}\n)))/;

/**
 * The tokens of GitHub-flavoured Markdown. A paragraph longer than 1,500 UTF-16 units has its inline marks parsed in
 * parts, cut at the end of a line, sentence or word where there is one; a mark that reaches across a cut stays in the text.
 * @throws RaglineError `request_invalid` for tables of more than 250,000 cells. @throws RangeError when nested too deeply.
 */
export function lexMarkdown(source: string): Token[] {
  for (const [line] of source.matchAll(DEEP_LINE)) {
    if (!RULE_LINE.test(line)) throw new RangeError("nested too deeply");
  }
  const lexer = new Lexer({ ...getDefaults(), tokenizer: new BoundedTokenizer(source.length) });
  const tokens = lexer.blockTokens(source);
  for (const { src, tokens: inline } of lexer.inlineQueue) {
    for (const part of inlineParts(src)) lexer.inlineTokens(part, inline);
  }
  return tokens;
}

function* inlineParts(src: string): Generator<string, void, undefined> {
  let start = 0;
  while (src.length - start > INLINE_LENGTH_MAX) {
    const window = src.slice(start, start + INLINE_LENGTH_MAX);
    const cut = CUTS.find((mark) => window.includes(mark));
    const length = cut === undefined ? INLINE_LENGTH_MAX : window.lastIndexOf(cut) + cut.length;
    yield src.slice(start, start + length);
    start += length;
  }
  yield src.slice(start);
}

class BoundedTokenizer extends Tokenizer {
  private cells = 0;
  private searchable: number;

  constructor(sourceLength: number) {
    super();
    this.searchable = sourceLength * VAIN_SEARCH_FACTOR;
  }

  /** Counts before the base class makes the cells. */
  override table(src: string): Tokens.Table | undefined {
    const [, , delimiters, rows = ""] = this.rules.block.table.exec(src) ?? [];
    if (delimiters === undefined) return undefined;
    const columns = delimiters
      .trim()
      .replace(/^\||\|$/g, "")
      .split("|").length;
    this.cells += columns * (rows.trimEnd().split("\n").length + 1);
    if (this.cells > TABLE_CELLS_MAX) {
      throw new RaglineError("request_invalid", `has tables of more than ${TABLE_CELLS_MAX} cells`);
    }
    return super.table(src);
  }

  /** A reference is no text, but `[비고]: 없음` and footnotes are. */
  override def(src: string): Tokens.Def | undefined {
    const found = super.def(src);
    return found && !found.tag.startsWith("^") && TARGET.test(found.href) ? found : undefined;
  }

  override link(src: string): ReturnType<Tokenizer["link"]> {
    const [raw, name = "", shown] = WIKI_LINK.exec(src) ?? [];
    if (raw === undefined) return super.link(src);
    const text = shown ?? name.replace(/\\$/, "");
    return { type: "link", raw, href: name, text, tokens: [{ type: "text", raw: text, text }] };
  }

  /** `2*3*4` multiplies. */
  override emStrong(...args: Parameters<Tokenizer["emStrong"]>): ReturnType<Tokenizer["emStrong"]> {
    if (/^\*\d/.test(args[0]) && /\d$/.test(args[2] ?? "")) return undefined;
    return this.besideUnspaced(args[0], args[2] ?? "") ?? this.search(args[0], () => super.emStrong(...args));
  }

  /**
   * Emphasis that CommonMark does not see, as it takes words to be parted by spaces: `**15일(연차)**을` has punctuation within the mark and
   * a particle behind it. As in https://github.com/tats-u/markdown-cjk-friendly.
   */
  private besideUnspaced(src: string, before: string): Tokens.Strong | Tokens.Em | undefined {
    const [raw, mark, text = ""] = EMPHASIS.exec(src) ?? UNDERSCORED.exec(src) ?? [];
    if (raw === undefined) return undefined;
    const isWord = mark === "__";
    // `__init__은` is a name.
    if (isWord && !UNSPACED.test(text)) return undefined;
    const opens = sideOf(before, isWord || PUNCTUATION.test(text.charAt(0)));
    const closes = sideOf(src.charAt(raw.length), isWord || PUNCTUATION.test(text.slice(-1)));
    if (opens === "apart" || closes === "apart" || (opens === "usual" && closes === "usual")) return undefined;
    return { type: mark === "*" ? "em" : "strong", raw, text, tokens: this.lexer.inlineTokens(text) };
  }

  /** One tilde is a range: `3~5일, 7~10일`. */
  override del(...args: Parameters<Tokenizer["del"]>): ReturnType<Tokenizer["del"]> {
    return args[0].startsWith("~~") ? this.search(args[0], () => super.del(...args)) : undefined;
  }

  /** A mark without its other half is looked for up to the end: quadratic without a limit. Past it, marks are text. */
  private search<T>(src: string, find: () => T | undefined): T | undefined {
    if (!/^[*_~]/.test(src) || this.searchable <= 0) return undefined;
    const found = find();
    if (found === undefined) this.searchable -= src.length;
    return found;
  }

  /** The base class also looks for mail addresses, in cubic time; as plain text they read the same. */
  override url(src: string): Tokens.Link | undefined {
    const raw = ADDRESS.exec(src)?.[0];
    if (raw === undefined) return undefined;
    return { type: "link", raw, href: raw, text: raw, tokens: [{ type: "text", raw, text: raw }] };
  }

  override inlineText(src: string): Tokens.Text | undefined {
    const raw = INLINE_TEXT.exec(src)?.[0];
    return raw === undefined ? undefined : { type: "text", raw, text: raw };
  }
}

/**
 * How a mark stands beside what is outside it: as CommonMark wants it, beside a word that needs no space, or as no mark at all.
 * @param mustPart where only a space or punctuation would do in CommonMark
 */
function sideOf(outside: string, mustPart: boolean): "usual" | "unspaced" | "apart" {
  if (!mustPart || outside === "" || /\s/.test(outside) || PUNCTUATION.test(outside)) return "usual";
  return UNSPACED.test(outside) ? "unspaced" : "apart";
}
