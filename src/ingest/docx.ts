import { RaglineError } from "../errors.ts";
import type { ParsedText } from "./document.ts";
import { parseHtml } from "./html.ts";
import { refuseOldOrEncrypted } from "./ooxml.ts";
import { checkArchive } from "./zip.ts";

/** Styles that mammoth does not know as headings: Word's title, and the names that Korean producers give. */
const STYLES = [
  "p[style-name='Title'] => h1:fresh",
  "p[style-name='제목'] => h1:fresh",
  ...[1, 2, 3, 4, 5, 6].flatMap((n) => [
    `p[style-name='제목 ${n}'] => h${n}:fresh`,
    `p[style-name='개요 ${n}'] => h${n}:fresh`,
  ]),
  "comment-reference => ",
];

/**
 * Parses a Word document: headings, lists, tables and notes; pictures are left out.
 * @throws RaglineError `request_invalid` with the bare reason: encrypted, damaged, pictures alone, or unpacking to more than it should.
 */
export async function parseDocx(bytes: Uint8Array): Promise<ParsedText> {
  const archive = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  refuseOldOrEncrypted(archive, ".doc", ".docx");
  checkArchive(archive);
  const { default: mammoth } = await import("mammoth");
  const { value } = await mammoth.convertToHtml(
    { buffer: archive },
    { styleMap: STYLES, convertImage: mammoth.images.imgElement(async () => ({ src: "" })) },
  );
  const parsed = parseHtml(value);
  if (parsed.blocks.length === 0 && value.includes("<img")) {
    throw new RaglineError("request_invalid", "holds pictures only: recognise their text first");
  }
  return parsed;
}
