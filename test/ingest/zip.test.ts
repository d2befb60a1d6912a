import { expect, test } from "vitest";
import { parseXml } from "../../src/ingest/xml.ts";
import { xmlParts } from "../../src/ingest/zip.ts";
import { refusal, thrown } from "../support/refused.ts";
import { makeZip } from "../support/zip.ts";

const PARTS = { "a.xml": "<a>가나다</a>", "그림/b.XML": "<b/>", "c.bin": "x" };
const read = (archive: Buffer) => [...xmlParts(archive)].map(([name, xml]) => [name, xml.toString()]);
const directoryOf = (archive: Buffer) => archive.indexOf("PK\x01\x02");
/** With some of the first entry's bytes in the directory changed. */
const changed = (archive: Buffer, change: (entry: Buffer) => void): Buffer => {
  const copy = Buffer.from(archive);
  change(copy.subarray(directoryOf(copy)));
  return copy;
};

/** With the sizes and place of its only file in 64 bits, as producers of large files write them in any case. */
function widened(archive: Buffer): Buffer {
  const start = directoryOf(archive);
  const end = archive.indexOf("PK\x05\x06");
  const entry = Buffer.from(archive.subarray(start, end));
  const other = Buffer.from("fecaff0200", "hex").fill(2, 2, 3).fill(0, 3, 4);
  const extra = Buffer.alloc(28);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(24, 2);
  for (const [i, from] of [24, 20, 42].entries()) {
    extra.writeBigUInt64LE(BigInt(entry.readUInt32LE(from)), 4 + 8 * i);
    entry.writeUInt32LE(0xffffffff, from);
  }
  const extras = Buffer.concat([other, Buffer.alloc(1), extra]);
  entry.writeUInt16LE(extras.length, 30);
  return Buffer.concat([archive.subarray(0, start), entry, extras, archive.subarray(end)]);
}

test("XML parts are read by their names, with either slash", () => {
  expect(read(makeZip({ ...PARTS, "d\\e.xml": "<e/>" }))).toEqual([
    ["a.xml", "<a>가나다</a>"],
    ["그림/b.XML", "<b/>"],
    ["d/e.xml", "<e/>"],
  ]);
});

test("of two parts of one name the last counts", () => {
  const archive = makeZip({ "a.xml": "<old/>", "b.xml": "<new/>" });
  const twice = changed(archive, (entry) => {
    entry.write("b", 46);
  });
  expect(read(twice)).toEqual([["b.xml", "<new/>"]]);
});

test("sizes in 64 bits", () => {
  expect(read(widened(makeZip({ "a.xml": PARTS["a.xml"] })))).toEqual([["a.xml", PARTS["a.xml"]]]);
});

test.each([
  ["a wrong checksum", (entry: Buffer) => entry.writeUInt32LE(1, 16), /^is cut off or damaged/],
  ["encrypted", (entry: Buffer) => entry.writeUInt16LE(1, 8), /^is encrypted/],
  ["a place beyond the end", (entry: Buffer) => entry.writeUInt32LE(0xffffffff, 42), /^is cut off or damaged/],
  ["names beyond the end", (entry: Buffer) => entry.writeUInt16LE(0xffff, 28), /^is cut off or damaged/],
  ["a size that is said", (entry: Buffer) => entry.writeUInt32LE(0xfffffffe, 24), /^unpacks to more than 500 MB/],
])("%s: refused with the reason", (_, change, reason) => {
  const archive = changed(makeZip(PARTS), change);
  expect(thrown(() => read(archive))).toEqual(refusal(reason));
});

test("what is no archive is refused as damaged or locked", () => {
  expect(thrown(() => read(Buffer.from("<DOCUMENT SAFER V4>".padEnd(400, "x"))))).toEqual(
    refusal(/\(DRM\): it is no zip archive$/),
  );
});

test("more files than an archive should hold: refused", () => {
  const names = Array.from({ length: 10_001 }, (_, i) => [`${i}`, ""]);
  expect(thrown(() => read(makeZip(Object.fromEntries(names))))).toEqual(refusal(/^holds 10001 files/));
});

test("XML is read in UTF-8 and UTF-16, entities of its own as they stand; nested without end it is refused", () => {
  const textOf = (xml: Buffer) => {
    let all = "";
    let isInside = false;
    parseXml(xml, {
      open: () => {
        isInside = true;
      },
      text: (text) => {
        if (isInside) all += text;
      },
    });
    return all;
  };
  const xml = '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d SYSTEM "file:///etc/passwd">]><a>가 &amp; &#44032; &b;&d;</a>';
  const wide = Buffer.from(`\ufeff${xml}`, "utf16le");
  for (const bytes of [Buffer.from(xml), wide, Buffer.from(wide).swap16()]) {
    expect(textOf(bytes)).toBe("가 & 가 &b;&d;");
  }
  expect(thrown(() => textOf(Buffer.from("<a>".repeat(1_001))))).toEqual(refusal(/^is nested deeper than 1000/));
});

test.each([
  ["HTML", "\ufeff<html><table><tr><td>1</td></tr></table></html>"],
  ["PDF", "%PDF-1.7"],
  ["RTF", "{\\rtf1 text}"],
])("%s is named as what it is", (name, content) => {
  expect(thrown(() => read(Buffer.from(content)))).toEqual(refusal(new RegExp(`^is ${name}, not what its name says`)));
});
