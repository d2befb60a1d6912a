import { afterAll, describe, expect, test } from "vitest";
import { createReader } from "../../src/ingest/reader.ts";
import { makeHwpx } from "../support/hwp.ts";
import { makePptx, makeXlsx, references, shape } from "../support/ooxml.ts";
import { lines, makeBomb, makePdf, withPassword } from "../support/pdf.ts";
import { makeDocx } from "../support/zip.ts";

const reader = createReader({ timeoutMs: 20_000, memoryBytesMax: 400 * 1_048_576 });
afterAll(() => reader.close());

const { signal } = new AbortController();
const read = (format: "pdf" | "docx" | "pptx" | "xlsx" | "hwpx", bytes: Uint8Array) =>
  reader.read({ fields: { id: "d" }, fallbackTitle: "d", format, content: { bytes } }, signal);
const page = (text: string) => lines([text], { x: 50, y: 700 });
const paragraph = (text: string) => `<w:p><w:r><w:t>${text}</w:t></w:r></w:p>`;

describe("refused by name, and the next file is read", () => {
  const BOUNDS = /took more than (?:20 s|400 MB)|cannot be read|is nested too deeply|has no text/;
  const TOO_DEEP = /is nested deeper than 1000 elements/;
  test.each([
    ["a PDF with a password", "pdf", withPassword(makePdf([page("비밀")])), /is encrypted: save it without a password/],
    ["a PDF of 2 GB in 10 KB", "pdf", makeBomb(2_000_000_000), BOUNDS],
    [
      "a PDF of 10,000 pages",
      "pdf",
      makePdf(Array.from({ length: 10_000 }, () => [])),
      /has 10000 pages \(at most 5000\)/,
    ],
    ["tables inside tables", "docx", makeDocx("<w:tbl><w:tr><w:tc>".repeat(100_000)), TOO_DEEP],
    ["closed tables inside tables", "docx", nested("<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>", 20_000), TOO_DEEP],
    ["tags closed that nobody opened", "hwpx", makeHwpx(["<a>".repeat(990) + "</b>".repeat(6_000_000)]), BOUNDS],
    ["a slide that is another's SmartArt, and its own", "pptx", circle(), /refers to more than 128 MB of text/],
    ["a long text in every cell", "xlsx", repeated(), /has more than 64000000 characters in its cells/],
    ["millions of empty rows", "xlsx", makeXlsx({ sheets: { a: "<row/>".repeat(8_000_000) } }), /has no text/],
    ["closed content controls", "docx", nested("<w:sdt><w:sdtContent>", "</w:sdtContent></w:sdt>", 50_000), TOO_DEEP],
  ] as const)("%s", { timeout: 60_000 }, async (_, format, bytes, reason) => {
    await expect(read(format, bytes)).rejects.toThrow(reason);
    expect((await read("docx", makeDocx(paragraph("다음")))).blocks).toEqual([{ kind: "text", text: "다음" }]);
  });
});

/** A slide of 1 MB that stands in itself 1,000 times. */
function circle(): Buffer {
  const shapes = shape(["가".repeat(350_000)]) + '<dgm:relIds r:dm="s"/>'.repeat(1_000);
  return makePptx([{ shapes }], [0], {
    "ppt/slides/_rels/slide0.xml.rels": references({ s: ["diagramData", "slide0.xml"] }),
  });
}

function repeated(): Buffer {
  const row = '<row><c t="s"><v>0</v></c></row>';
  return makeXlsx({ sheets: { a: row.repeat(250_000) }, texts: [`<t>${"가".repeat(350_000)}</t>`] });
}

function nested(open: string, close: string, depth: number): Buffer {
  return makeDocx(open.repeat(depth) + paragraph("깊다") + close.repeat(depth));
}

test("a PDF of 5,000 pages is read, each page under its number", { timeout: 60_000 }, async () => {
  const pages = Array.from({ length: 5_000 }, (_, i) => page(`이 쪽은 ${i + 1}번째이다.`));
  const { blocks } = await read("pdf", makePdf(pages));
  expect(blocks).toHaveLength(5_000);
  expect(blocks.at(-1)).toMatchObject({ page: 5_000, text: "이 쪽은 5000번째이다." });
});
