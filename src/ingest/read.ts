import { open } from "node:fs/promises";
import { RaglineError } from "../errors.ts";
import {
  assemble,
  type DocumentFields,
  EmptyDocumentError,
  type Format,
  type ParsedText,
  type SourceDocument,
  toDocument,
} from "./document.ts";
import { decodeText } from "./encoding.ts";
import { type FileFormat as AnyFormat, codeOf } from "./files.ts";

/** Of one document. */
type FileFormat = Exclude<AnyFormat, "jsonl">;
type OfficeFormat = Exclude<FileFormat, Format | "pdf">;

/** A document to be read, wherever its content is. */
export interface ReadRequest {
  readonly fields: DocumentFields;
  /** For documents that have none. */
  readonly fallbackTitle: string;
  readonly format: FileFormat;
  readonly content:
    | { readonly text: string }
    | { readonly bytes: Uint8Array }
    /** `size`: in bytes, as it was found. */
    | { readonly path: string; readonly size: number; readonly bytesMax: number };
}

/** Reads one document here and now. @throws RaglineError `request_invalid` with the bare reason, and whatever a parser throws. */
export async function readHere({ fields, fallbackTitle, format, content }: ReadRequest): Promise<SourceDocument> {
  if (isText(format)) {
    const text = "text" in content ? content.text : decodeText(await bytesOf(content), { isHtml: format === "html" });
    return toDocument({ ...fields, text, format }, fallbackTitle);
  }
  if ("text" in content) throw new TypeError(`${format} is read from bytes`);
  const bytes = await bytesOf(content);
  if (format !== "pdf") return assemble(fields, fallbackTitle, await parsed(format, bytes));
  const text = await (await import("./pdf.ts")).parsePdf(bytes);
  try {
    return assemble(fields, fallbackTitle, text);
  } catch (thrown) {
    // What the pages show may be pictures of text.
    if (thrown instanceof EmptyDocumentError) throw new RaglineError("request_invalid", thrown.message);
    throw thrown;
  }
}

/** Parsers are loaded when first needed, which a server never does: a process of its own reads these. */
async function parsed(format: OfficeFormat, bytes: Uint8Array): Promise<ParsedText> {
  switch (format) {
    case "docx":
      return (await import("./docx.ts")).parseDocx(bytes);
    case "pptx":
      return (await import("./pptx.ts")).parsePptx(bytes);
    case "xlsx":
      return (await import("./xlsx.ts")).parseXlsx(bytes);
    default:
      return (await import("./hwp.ts")).parseHancom(bytes);
  }
}

/** Else the format is read from bytes, in a process of its own. */
export function isText(format: FileFormat): format is Format {
  return format === "markdown" || format === "text" || format === "html";
}

async function bytesOf(content: Exclude<ReadRequest["content"], { readonly text: string }>): Promise<Uint8Array> {
  return "bytes" in content ? content.bytes : readBytes(content.path, content.bytesMax);
}

/** Bounded even if the file grows meanwhile. */
async function readBytes(path: string, bytesMax: number): Promise<Buffer> {
  await using file = await open(path).catch((thrown: unknown) => {
    throw new RaglineError("request_invalid", `cannot be opened (${codeOf(thrown)})`, { cause: thrown });
  });
  const { size } = await file.stat();
  if (size > bytesMax) throw tooLarge(bytesMax);
  const bytes = await file.readFile();
  if (bytes.length > bytesMax) throw tooLarge(bytesMax);
  return bytes;
}

const MB = 1_000_000;

export function tooLarge(bytesMax: number): RaglineError {
  return new RaglineError("request_invalid", `is larger than the limit of ${bytesMax / MB} MB`);
}
