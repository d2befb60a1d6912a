import { crc32, inflateRawSync } from "node:zlib";
import { RaglineError } from "../errors.ts";

const MB = 1_000_000;
/** Files in an archive, and what all of them may hold together as they say themselves. */
const ENTRIES_MAX = 10_000;
const DECLARED_BYTES_MAX = 500 * MB;
/** Of the XML parts together, as they turn out to be. */
const XML_BYTES_MAX = 64 * MB;

const BEGINNING = "PK";
/** What is often found under a name of an office document, by how it begins. */
const OTHERS: readonly (readonly [RegExp, string])[] = [
  [/^(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|body|table|meta|style)\b/i, "HTML"],
  [/^%PDF-/, "PDF"],
  [/^\{\\rtf/, "RTF"],
];
const BEGINNING_BYTES = 64;
const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const END_BYTES = 22;
const COMMENT_BYTES_MAX = 65_535;
const ENTRY_BYTES = 46;
const LOCAL_HEADER_BYTES = 30;
const DEFLATED = 8;
const ENCRYPTED = 1;
/** Stands for a number in `ZIP64`'s extra field. */
const WIDE = 0xffffffff;
const ZIP64 = 1;

/** Of a file, as the directory says. */
interface Entry {
  readonly method: number;
  readonly flags: number;
  readonly crc: number;
  readonly size: number;
  readonly unpackedSize: number;
  readonly local: number;
}

/**
 * The XML parts of an archive by their names, inflated one after the other: of those of one name the last, which is the one that counts.
 * One that would unpack to more than it should is refused, whatever it says of its sizes.
 * @throws RaglineError `request_invalid` with the bare reason.
 */
export function* xmlParts(archive: Buffer): Generator<readonly [name: string, xml: Buffer]> {
  const end = findEnd(archive);
  const count = archive.readUInt16LE(end + 10);
  if (count > ENTRIES_MAX) throw refused(`holds ${count} files (at most ${ENTRIES_MAX})`);
  const entries = new Map<string, Entry>();
  let declared = 0;
  let at = archive.readUInt32LE(end + 16);
  for (let i = 0; i < count; i++) {
    if (at + ENTRY_BYTES > archive.length || archive.readUInt32LE(at) !== DIRECTORY_ENTRY) throw truncated();
    const nameEnd = at + ENTRY_BYTES + archive.readUInt16LE(at + 28);
    const next = nameEnd + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
    if (next > archive.length) throw truncated();
    const entry = readEntry(archive, at, nameEnd, next);
    declared += entry.unpackedSize;
    if (declared > DECLARED_BYTES_MAX) throw refused(`unpacks to more than ${DECLARED_BYTES_MAX / MB} MB`);
    entries.set(archive.toString("utf8", at + ENTRY_BYTES, nameEnd).replaceAll("\\", "/"), entry);
    at = next;
  }
  let left = XML_BYTES_MAX;
  for (const [name, entry] of entries) {
    if (!/\.(?:xml|rels|hpf)$/i.test(name)) continue;
    const xml = inflated(archive, entry, left);
    left -= xml.length;
    yield [name, xml];
  }
}

function readEntry(archive: Buffer, at: number, extraStart: number, extraEnd: number): Entry {
  const wide = wideNumbers(archive, extraStart, extraEnd);
  const wideOr = (number: number) => (number === WIDE ? (wide.next().value ?? number) : number);
  const unpackedSize = wideOr(archive.readUInt32LE(at + 24));
  const size = wideOr(archive.readUInt32LE(at + 20));
  const local = wideOr(archive.readUInt32LE(at + 42));
  const method = archive.readUInt16LE(at + 10);
  return { method, flags: archive.readUInt16LE(at + 8), crc: archive.readUInt32LE(at + 16), size, unpackedSize, local };
}

/** Those that 32 bits do not hold, or that a producer of large files writes so in any case (zip64), in their order. */
function* wideNumbers(archive: Buffer, from: number, to: number): Generator<number, undefined> {
  for (let at = from; at + 4 <= to; ) {
    const length = archive.readUInt16LE(at + 2);
    if (archive.readUInt16LE(at) === ZIP64) {
      const end = Math.min(to, at + 4 + length);
      for (let number = at + 4; number + 8 <= end; number += 8) yield Number(archive.readBigUInt64LE(number));
      return;
    }
    at += 4 + length;
  }
}

/** @throws RaglineError as `xmlParts` does */
export function checkArchive(archive: Buffer): void {
  for (const _ of xmlParts(archive));
}

function findEnd(archive: Buffer): number {
  if (archive.length > 0 && archive.toString("latin1", 0, 2) !== BEGINNING) {
    const [, name] = OTHERS.find(([beginning]) => beginning.test(archive.toString("latin1", 0, BEGINNING_BYTES))) ?? [];
    if (name) throw refused(`is ${name}, not what its name says: save it in the format of its name`);
    throw refused("is damaged, or locked by software that protects documents (DRM): it is no zip archive");
  }
  const last = archive.length - END_BYTES;
  for (let at = last; at >= Math.max(0, last - COMMENT_BYTES_MAX); at--) {
    if (archive.readUInt32LE(at) === END_OF_DIRECTORY) return at;
  }
  throw truncated();
}

function inflated(archive: Buffer, { method, flags, crc, size, local }: Entry, bytesMax: number): Buffer {
  if (flags & ENCRYPTED) throw refused("is encrypted: save it without a password");
  if (local + LOCAL_HEADER_BYTES > archive.length) throw truncated();
  const start = local + LOCAL_HEADER_BYTES + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
  const data = archive.subarray(start, start + size);
  const content = method === DEFLATED ? inflate(data, bytesMax) : data;
  if (content.length > bytesMax) throw tooMuch();
  if (crc32(content) !== crc) throw truncated();
  return content;
}

function inflate(data: Buffer, bytesMax: number): Buffer {
  try {
    return inflateRawSync(data, { maxOutputLength: Math.max(1, bytesMax) });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE") throw tooMuch();
    throw truncated();
  }
}

function tooMuch(): RaglineError {
  return refused(`unpacks to more than ${XML_BYTES_MAX / MB} MB of text`);
}

function truncated(): RaglineError {
  return refused("is cut off or damaged");
}

function refused(reason: string): RaglineError {
  return new RaglineError("request_invalid", reason);
}
