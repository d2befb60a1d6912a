import { inflateRawSync } from "node:zlib";
import { RaglineError } from "../errors.ts";

const MB = 1_000_000;
/** Files in an archive, and what all of them may hold together as they say themselves. */
const ENTRIES_MAX = 10_000;
const DECLARED_BYTES_MAX = 500 * MB;
/** Of the XML parts together, as they turn out to be. */
const XML_BYTES_MAX = 64 * MB;

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const END_BYTES = 22;
const COMMENT_BYTES_MAX = 65_535;
const ENTRY_BYTES = 46;
const LOCAL_HEADER_BYTES = 30;
const DEFLATED = 8;

/**
 * The XML parts of an archive by their names, inflated one after the other. One that would unpack to more than it should is refused, whatever it
 * says of its sizes.
 * @throws RaglineError `request_invalid` with the bare reason.
 */
export function* xmlParts(archive: Buffer): Generator<readonly [name: string, xml: Buffer]> {
  const end = findEnd(archive);
  const entries = archive.readUInt16LE(end + 10);
  if (entries > ENTRIES_MAX) throw refused(`holds ${entries} files (at most ${ENTRIES_MAX})`);
  let declared = 0;
  let left = XML_BYTES_MAX;
  let at = archive.readUInt32LE(end + 16);
  for (let i = 0; i < entries; i++) {
    if (at + ENTRY_BYTES > archive.length || archive.readUInt32LE(at) !== DIRECTORY_ENTRY) throw truncated();
    declared += archive.readUInt32LE(at + 24);
    if (declared > DECLARED_BYTES_MAX) throw refused(`unpacks to more than ${DECLARED_BYTES_MAX / MB} MB`);
    const nameLength = archive.readUInt16LE(at + 28);
    const name = archive.toString("latin1", at + ENTRY_BYTES, at + ENTRY_BYTES + nameLength);
    if (/\.(?:xml|rels|hpf)$/i.test(name)) {
      const xml = inflated(archive, at, left);
      left -= xml.length;
      yield [name, xml];
    }
    at += ENTRY_BYTES + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
}

/** @throws RaglineError as `xmlParts` does */
export function checkArchive(archive: Buffer): void {
  for (const _ of xmlParts(archive));
}

function findEnd(archive: Buffer): number {
  const last = archive.length - END_BYTES;
  for (let at = last; at >= Math.max(0, last - COMMENT_BYTES_MAX); at--) {
    if (archive.readUInt32LE(at) === END_OF_DIRECTORY) return at;
  }
  throw truncated();
}

function inflated(archive: Buffer, entry: number, bytesMax: number): Buffer {
  const size = archive.readUInt32LE(entry + 20);
  const local = archive.readUInt32LE(entry + 42);
  if (local + LOCAL_HEADER_BYTES > archive.length) throw truncated();
  const start = local + LOCAL_HEADER_BYTES + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
  const data = archive.subarray(start, start + size);
  if (archive.readUInt16LE(entry + 10) !== DEFLATED) {
    if (size > bytesMax) throw tooMuch();
    return data;
  }
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
