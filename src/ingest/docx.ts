import { RaglineError } from "../errors.ts";
import type { ParsedText } from "./document.ts";
import { parseHtml } from "./html.ts";
import { refuseOldOrEncrypted } from "./ooxml.ts";
import { titled } from "./titled.ts";
import { checkArchive } from "./zip.ts";

const HEADING_DEPTH_MAX = 6;
/** The way back from a note. */
const BACK = /<a href="#[^"]*">↑<\/a>/g;
/** Of headings, as Word and Korean producers call them: below the title, which has a style of its own. */
const STYLES = [
  ...["Title", "제목"].map((name) => `p[style-name='${name}'] => h1:fresh`),
  ...[1, 2, 3, 4, 5, 6].flatMap((n) =>
    [`[style-name='Heading ${n}']`, `.Heading${n}`, `[style-name='제목 ${n}']`, `[style-name='개요 ${n}']`].map(
      (style) => `p${style} => h${Math.min(HEADING_DEPTH_MAX, n + 1)}:fresh`,
    ),
  ),
  // What a template says to write.
  "r[style-name='Placeholder Text'] => !",
];

/**
 * Parses a Word document: headings, lists, tables and notes; pictures and comments are left out.
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
  const parsed = titled(parseHtml(value.replace(BACK, "")));
  if (parsed.blocks.length === 0 && value.includes("<img")) {
    throw new RaglineError("request_invalid", "holds pictures only: recognise their text first");
  }
  return parsed;
}
