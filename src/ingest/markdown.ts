import type { Token, Tokens } from "marked";
import { openContainers } from "./containers.ts";
import type { Block, ParsedText } from "./document.ts";
import { splitFrontMatter } from "./front-matter.ts";
import { decodeEntities, parseHtml } from "./html.ts";
import { lexMarkdown } from "./markdown-lexer.ts";
import { collapse } from "./normalize.ts";

/** An explicit anchor after a heading, as MkDocs and Pandoc write it: `## Scopes { #scopes }`. */
const HEADING_ATTRIBUTES = /\s*\{:?\s*[#.][^{}]*\}$/;

/** Tags within a line that part what is before from what is behind. */
const PARTING = /^<(?:br|hr|\/?(?:li|ul|ol|p|div|t[dhr]|table|summary|details|d[dlt]|pre|h[1-6]))\b/i;

/** As Obsidian, MkDocs and Docusaurus mark text: `==15일==`. */
const HIGHLIGHT = /(?<![\w=])==(?=[^\s=])([^=\n]*[^\s=])==(?![\w=])/g;

/** What kind of quotation it is, as GitHub and Obsidian write it: `[!NOTE]`. */
const ALERT = /^\[![\w-]+\][+-]?\s*/;

/**
 * Parses GitHub-flavoured Markdown with front matter. Marks, links' targets and comments are left out of the text.
 * @throws RaglineError `request_invalid` as `splitFrontMatter` and `lexMarkdown` do.
 * @throws RangeError when nested too deeply.
 */
export function parseMarkdown(source: string): ParsedText {
  const { fields, body } = splitFrontMatter(source);
  return { fields, blocks: lexMarkdown(openContainers(body)).flatMap(toBlocks) };
}

function toBlocks(token: Token): Block[] {
  switch (token.type) {
    case "heading": {
      const text = collapse(plain(token.tokens)).replace(HEADING_ATTRIBUTES, "");
      return text === "" ? [] : [{ kind: "heading", depth: token.depth, text }];
    }
    case "paragraph":
    case "text":
      return block("text", plain(token.tokens));
    case "code":
      return block("code", token.text);
    case "list":
      return block("list", listText(token as Tokens.List, ""));
    case "table":
      return block("table", tableText(token as Tokens.Table));
    case "blockquote":
      return withoutAlert((token.tokens ?? []).flatMap(toBlocks).map(asQuoted));
    case "html":
      return parseHtml(token.text).blocks.map(asQuoted);
    default:
      return [];
  }
}

function block(kind: "text" | "table" | "code" | "list", text: string): Block[] {
  return text.trim() === "" ? [] : [{ kind, text: text.trimEnd() }];
}

function withoutAlert([first, ...others]: Block[]): Block[] {
  if (first === undefined) return [];
  return first.kind === "text" ? [...block("text", first.text.replace(ALERT, "")), ...others] : [first, ...others];
}

/** A heading inside a quotation or raw HTML does not divide the document. */
function asQuoted(inner: Block): Block {
  return inner.kind === "heading" ? { kind: "text", text: inner.text } : inner;
}

function listText(list: Tokens.List, indent: string): string {
  const start = typeof list.start === "number" ? list.start : 1;
  return list.items
    .map((item, i) => {
      const marker = list.ordered ? `${numberOf(item, start, i)}${/^\s*\d+\)/.test(item.raw) ? ")" : "."} ` : "- ";
      const inner = indent + " ".repeat(marker.length);
      const parts = item.tokens.flatMap((token) => itemParts(token, inner));
      return indent + marker + stateOf(item) + parts.join("\n").trimStart();
    })
    .join("\n");
}

/** As it is written (`2024. 3. 1.` begins no count), but for lists that leave counting to the reader: `1. 1. 1.` */
function numberOf({ raw }: Tokens.ListItem, start: number, index: number): number {
  const own = Number(/^\s*(\d{1,9})/.exec(raw)?.[1] ?? start + index);
  return own === start && start <= 1 ? start + index : own;
}

/** Of a task whose box stands outside its text. */
function stateOf({ tokens: [first] }: Tokens.ListItem): string {
  return first?.type === "checkbox" ? inlineText(first) : "";
}

function itemParts(token: Token, indent: string): string[] {
  if (token.type === "list") return [listText(token as Tokens.List, indent)];
  return toBlocks(token).map(({ text }) => text.replace(/^(?=[^\n])/gm, indent));
}

function tableText({ header, rows }: Tokens.Table): string {
  const row = (cells: readonly Tokens.TableCell[]) => cells.map((cell) => collapse(plain(cell.tokens))).join(" | ");
  return [header, ...rows].map(row).join("\n");
}

/** The text a reader sees: soft line breaks as spaces, hard ones as line ends. */
function plain(inline: readonly Token[] | undefined): string {
  return (inline ?? []).map(inlineText).join("").trim();
}

function inlineText(token: Token): string {
  switch (token.type) {
    case "br":
      return "\n";
    case "html":
      return PARTING.test(token.raw) ? "\n" : "";
    case "codespan":
    case "image":
      return token.text;
    case "checkbox":
      return token.checked ? "[x] " : "[ ] ";
    case "text":
    case "escape":
      return "tokens" in token ? plain(token.tokens) : decodeEntities(unwrap(token.text)).replace(HIGHLIGHT, "$1");
    case "del":
      // No longer valid: without its marks it would look so.
      return `~~${(token.tokens ?? []).map(inlineText).join("")}~~`;
    default:
      return "tokens" in token ? (token.tokens ?? []).map(inlineText).join("") : token.raw;
  }
}

/** How entries of lists begin that Markdown does not know. */
const ENTRY = /^(?:[①-⑳㉮-㉻㈀-㈎○●◎◦■□▪▶►◆◇※☞·•]|[가-하]\.\s|[(（][\d가-하]{1,2}[)）])/u;

/** Soft line breaks as spaces, but before an entry. */
function unwrap(text: string): string {
  if (!text.includes("\n")) return text;
  const lines = text.split("\n");
  return lines
    .map((line, i) => (i === 0 ? line : line.trimStart()))
    .map((line, i) => (i === lines.length - 1 ? line : line.trimEnd()))
    .reduce((before, line) => `${before}${ENTRY.test(line) ? "\n" : " "}${line}`);
}
