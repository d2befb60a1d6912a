import { createHash } from "node:crypto";
import { RaglineError } from "../errors.ts";
import { groupsInOrder, type Metadata, type MetadataValue } from "../types.ts";
import { withArticles } from "./articles.ts";
import { parseHtml } from "./html.ts";
import { parseMarkdown } from "./markdown.ts";
import { checkHead, checkMetadata, TITLE_LENGTH_MAX } from "./metadata.ts";
import { collapse, normalize, withoutInvisible } from "./normalize.ts";
import type { PageBreak } from "./pages.ts";
import { withQuestions } from "./questions.ts";
import { parseText } from "./text.ts";

/** A document as its source has it: structure kept, not yet cut into passages. */
export interface SourceDocument {
  readonly id: string;
  readonly title: string;
  readonly url?: string;
  /** SHA-256, hex, of everything that is indexed: title, URL, metadata, groups and blocks. */
  readonly hash: string;
  readonly metadata: Metadata;
  readonly groups: readonly string[];
  readonly blocks: readonly Block[];
  /** What of the source was not read, and is not indexed: the end of a sentence that starts with its name. */
  readonly notice?: string;
}

/**
 * `page`, from 1, is where it begins, in formats that have pages, `pageBreaks` where in its text others do. A table is one row a line,
 * its cells joined by ` | `, the header row first; a list is one item a line. A heading without text ends those before it.
 */
export type Block =
  | { readonly kind: "heading"; readonly depth: number; readonly text: string; readonly page?: number }
  | {
      readonly kind: "text" | "table" | "code" | "list";
      readonly text: string;
      readonly page?: number;
      readonly pageBreaks?: readonly PageBreak[];
    };

export type Format = "markdown" | "text" | "html";

export interface DocumentInput {
  readonly id: string;
  /** Absent: the source's own title (front matter, else its first h1, else `<title>`), else the id. */
  readonly title?: string;
  readonly text: string;
  readonly format: Format;
  readonly url?: string;
  readonly metadata?: Metadata;
  readonly groups?: readonly string[];
}

/** What a parser found. `title` is one outside the text (`<title>`); `fields` is the front matter. */
export interface ParsedText {
  readonly title?: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly blocks: readonly Block[];
  readonly notice?: string;
}

/**
 * Reads one document held in memory. What the input says wins over what the text says of itself, except for groups: those
 * of both apply only where the input names none.
 * @throws RaglineError `request_invalid`, naming the document: no text, invalid front matter, metadata beyond
 * the limits, too many table cells, nested too deeply.
 */
export function readDocument(input: DocumentInput): SourceDocument {
  try {
    return toDocument(input, input.id);
  } catch (thrown) {
    throw new RaglineError("request_invalid", `Document "${input.id}" ${reasonOf(thrown)}.`, { cause: thrown });
  }
}

/** The document was read, and holds nothing. */
export class EmptyDocumentError extends RaglineError {
  constructor() {
    super("request_invalid", "has no text");
  }
}

/** Why a document was not read, in a form that can be sent between processes. */
export interface Refusal {
  readonly refused: string;
  readonly isEmpty?: true;
}

export function refusalOf(thrown: unknown): Refusal {
  return { refused: reasonOf(thrown), ...(thrown instanceof EmptyDocumentError && { isEmpty: true }) };
}

/** Like `readDocument`, with a title for documents without one; errors carry the bare reason ("has no text"). */
export function toDocument(input: DocumentInput, fallbackTitle: string): SourceDocument {
  return assemble(input, fallbackTitle, PARSERS[input.format](withoutInvisible(normalize(input.text))));
}

/** What is known of a document besides its content. */
export type DocumentFields = Omit<DocumentInput, "text" | "format">;

/** A document of what its parser found. */
export function assemble(input: DocumentFields, fallbackTitle: string, found: ParsedText): SourceDocument {
  const parsed = { ...found, blocks: found.blocks.map(asVisible) };
  const own = readFields(parsed.fields);
  const firstH1 = parsed.blocks.findIndex((block) => block.kind === "heading" && block.depth === 1);
  const h1 = fitting(parsed.blocks[firstH1]?.text);
  const title =
    collapse(normalize(input.title ?? "")) || own.title || h1 || fitting(collapse(parsed.title ?? "")) || fallbackTitle;
  const blocks = withQuestions(withArticles(h1 === title ? parsed.blocks.toSpliced(firstH1, 1) : parsed.blocks));
  if (!blocks.some((block) => block.text.trim() !== "")) throw new EmptyDocumentError();
  const url = input.url ?? own.url;
  const metadata = { ...own.metadata, ...input.metadata };
  checkMetadata(metadata);
  const content = {
    id: input.id,
    title,
    ...(url !== undefined && { url }),
    metadata,
    groups: groupsInOrder(input.groups ?? own.groups),
    blocks,
  };
  checkHead(content);
  return { ...content, hash: hashOf(content), ...(parsed.notice && { notice: parsed.notice }) };
}

function asVisible(block: Block): Block {
  const text = withoutInvisible(block.text);
  if (text.length === block.text.length) return block;
  if (block.kind === "heading" || !block.pageBreaks) return { ...block, text };
  const pageBreaks = block.pageBreaks.map(({ at, page }) => ({
    page,
    at: withoutInvisible(block.text.slice(0, at)).length,
  }));
  return { ...block, text, pageBreaks };
}

/** The same document for these groups, where it names none itself. */
export function forGroups(document: SourceDocument, groups: readonly string[]): SourceDocument {
  if (document.groups.length > 0 || groups.length === 0) return document;
  const limited = { ...document, groups: groupsInOrder(groups) };
  return { ...limited, hash: hashOf(limited) };
}

/** A heading that is too long to be a title stays a heading. */
function fitting(title = ""): string {
  return title.length <= TITLE_LENGTH_MAX ? title : "";
}

/** Why a document cannot be read, as the end of a sentence that starts with its name. */
export function reasonOf(thrown: unknown): string {
  if (thrown instanceof RaglineError) return thrown.message;
  if (thrown instanceof RangeError) return "is nested too deeply to be parsed";
  return `cannot be read (${thrown instanceof Error ? thrown.message.split("\n")[0] : String(thrown)})`;
}

/**
 * Sorts named values into the document's own fields and metadata: scalars and lists of scalars. Anything else, and
 * null, is left out.
 * @throws RaglineError `request_invalid` where `groups` or `url` have another type: guessing could open a document.
 */
export function readFields(fields: Readonly<Record<string, unknown>>): {
  title: string;
  url?: string;
  groups: string[];
  metadata: Record<string, MetadataValue>;
} {
  const { title, url, groups, ...rest } = fields;
  if (url !== undefined && url !== null && typeof url !== "string") {
    throw new RaglineError("request_invalid", "has a url that is not text");
  }
  return {
    title: typeof title === "string" || typeof title === "number" ? collapse(normalize(String(title))) : "",
    ...(url && { url }),
    groups: readGroups(groups),
    metadata: readMetadata(rest),
  };
}

/** Values that metadata cannot hold are left out. */
export function readMetadata(fields: Readonly<Record<string, unknown>>): Record<string, MetadataValue> {
  const metadata = Object.entries(fields).flatMap(([name, value]): [string, MetadataValue][] => {
    const kept = toMetadataValue(value);
    return kept === undefined ? [] : [[normalize(name), kept]];
  });
  return Object.fromEntries(metadata);
}

function readGroups(groups: unknown): string[] {
  if (groups === undefined || groups === null) return [];
  const list: unknown[] = Array.isArray(groups) ? groups : [groups];
  const names = list.filter((group) => typeof group === "string" && group !== "");
  if (names.length !== list.length) throw new RaglineError("request_invalid", "has groups that are not names");
  return names as string[];
}

function toMetadataValue(value: unknown): MetadataValue | undefined {
  if (!Array.isArray(value)) return toScalar(value);
  const scalars = value.map(toScalar).filter((item) => item !== undefined);
  return scalars.length === value.length ? scalars : undefined;
}

function toScalar(value: unknown): string | number | boolean | undefined {
  if (typeof value === "string") return normalize(value);
  if (value instanceof Date) return value.toISOString();
  return typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value)) ? value : undefined;
}

const PARSERS: Readonly<Record<Format, (text: string) => ParsedText>> = {
  markdown: parseMarkdown,
  html: parseHtml,
  text: parseText,
};

function hashOf(document: Omit<SourceDocument, "hash">): string {
  const { id: _, blocks, metadata, ...head } = document;
  const hash = createHash("sha256");
  const byName = Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1));
  hash.update(JSON.stringify([head.title, head.url ?? null, head.groups, byName]));
  for (const block of blocks) hash.update(JSON.stringify(block));
  return hash.digest("hex");
}
