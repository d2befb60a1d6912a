import { RaglineError } from "../errors.ts";
import { decodeUtf8 } from "../utf8.ts";
import { decodeCp949 } from "./cp949.ts";

/** Of the pairs of bytes in EUC-KR text: CP949's added syllables are rare, and so is Hanja beside Hangul. */
const ADDED_SHARE_MAX = 0.2;
const HANGUL_SHARE_MIN = 0.7;

/** Of the characters of UTF-16 without a byte order mark. */
const PLAIN_SHARE_MIN = 0.95;
const BARE_UTF16_LENGTH_MIN = 8;

/** How HTML and XML name their encoding, near the beginning. */
const DECLARED =
  /<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{1,40})|^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})/i;
const DECLARATION_BYTES = 4_096;

/**
 * Text of a file, by its byte order mark, as UTF-8, by what HTML declares, as UTF-16, or as EUC-KR with CP949. Whatever is none of
 * these for certain is refused: a wrong guess is text that nobody finds again.
 * @throws RaglineError `request_invalid` with the bare reason.
 */
export function decodeText(bytes: Uint8Array, options: { readonly isHtml?: boolean } = {}): string {
  const marked = byMark(bytes);
  if (marked) return decodeAs(marked, bytes);
  if (bytes.includes(0)) {
    const utf16 = bareUtf16(bytes);
    if (utf16 !== null) return utf16;
    throw refused("is a binary file, or text in an encoding that is not recognised (UTF-8 always is)");
  }
  if (hasShiftCodes(bytes)) throw refused("is text in ISO-2022, which is not supported: save it as UTF-8");
  const utf8 = decodeUtf8(bytes);
  if (utf8 !== null) return utf8;
  const declared = options.isHtml ? declaredEncoding(bytes) : null;
  if (declared && !tellsLittle(declared)) return decodeAs(declared, bytes);
  const text = eucKr(bytes) ?? (declared ? null : bareUtf16(bytes));
  if (text !== null) return text;
  if (declared) return decodeAs(declared, bytes);
  throw refused("is not valid UTF-8, nor certainly EUC-KR (CP949) or UTF-16: save it as UTF-8");
}

function byMark(bytes: Uint8Array): string | null {
  const [a, b, c, d] = bytes;
  if (a === 0xef && b === 0xbb && c === 0xbf) return "utf-8";
  if (a === 0xff && b === 0xfe && c === 0 && d === 0)
    throw refused("is text in UTF-32, which is not supported: save it as UTF-8");
  if (a === 0xff && b === 0xfe) return "utf-16le";
  return a === 0xfe && b === 0xff ? "utf-16be" : null;
}

function decodeAs(encoding: string, bytes: Uint8Array): string {
  let decoder: InstanceType<typeof TextDecoder>;
  try {
    decoder = new TextDecoder(encoding, { fatal: true });
  } catch {
    throw refused(`says that it is in ${encoding}, which is not supported: save it as UTF-8`);
  }
  try {
    const text = decoder.encoding === "euc-kr" ? decodeCp949(bytes) : decoder.decode(bytes);
    if (!hasControls(text)) return text;
  } catch {
    // The same refusal as for characters that text does not have.
  }
  throw refused(`says that it is in ${decoder.encoding}, and is not`);
}

function declaredEncoding(bytes: Uint8Array): string | null {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, DECLARATION_BYTES)).toString(
    "latin1",
  );
  const match = DECLARED.exec(head);
  return (match?.[1] ?? match?.[2])?.toLowerCase() ?? null;
}

/** Whether tools write it into pages whatever these are in, or no decoder knows it: `cp949`. */
function tellsLittle(label: string): boolean {
  try {
    return ["utf-8", "windows-1252"].includes(new TextDecoder(label).encoding);
  } catch {
    return true;
  }
}

/** ISO-2022-KR and its sisters hide other characters in plain ASCII. */
function hasShiftCodes(bytes: Uint8Array): boolean {
  for (let i = bytes.indexOf(0x1b); i !== -1; i = bytes.indexOf(0x1b, i + 1)) {
    if (bytes[i + 1] === 0x24) return true;
  }
  return false;
}

/**
 * Valid, and Korean by its bytes. English with Windows' curly quotes, Shift_JIS, Chinese and Cyrillic text is valid often enough,
 * but its pairs are CP949's added syllables or Hanja.
 */
function eucKr(bytes: Uint8Array): string | null {
  let pairs = 0;
  let added = 0;
  let hangul = 0;
  let hanja = 0;
  for (let i = 0; i < bytes.length; i++) {
    const lead = bytes[i] as number;
    if (lead < 0x80) continue;
    const trail = bytes[++i] ?? 0;
    pairs++;
    if (lead < 0xa1 || trail < 0xa1) added++;
    else if (lead >= 0xb0 && lead <= 0xc8) hangul++;
    else if (lead >= 0xca) hanja++;
  }
  if (added > pairs * ADDED_SHARE_MAX || hangul === 0 || hangul < (hangul + hanja) * HANGUL_SHARE_MIN) return null;
  try {
    const text = decodeCp949(bytes);
    return hasControls(text) ? null : text;
  } catch {
    return null;
  }
}

/** UTF-16 without a mark, in the one byte order that gives plain Korean and English; null where both or none do. */
function bareUtf16(bytes: Uint8Array): string | null {
  if (bytes.length % 2 !== 0 || bytes.length < 2 * BARE_UTF16_LENGTH_MIN) return null;
  const plain = ["utf-16le", "utf-16be"].map((encoding) => plainText(encoding, bytes)).filter((text) => text !== null);
  return plain.length === 1 ? (plain[0] ?? null) : null;
}

const PLAIN = /[\t\n\r\x20-\x7e\u3131-\u318e\uac00-\ud7a3]/g;

function plainText(encoding: string, bytes: Uint8Array): string | null {
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
    const plain = text.match(PLAIN)?.length ?? 0;
    return plain >= text.length * PLAIN_SHARE_MIN && !hasControls(text) ? text : null;
  } catch {
    return null;
  }
}

/** Control characters that no text has: tabs, line ends, form feeds and Ctrl-Z at the end aside. */
function hasControls(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (
      code < 0x20 &&
      code !== 9 &&
      code !== 10 &&
      code !== 12 &&
      code !== 13 &&
      !(code === 0x1a && i === text.length - 1)
    )
      return true;
  }
  return false;
}

function refused(reason: string): RaglineError {
  return new RaglineError("request_invalid", reason);
}
