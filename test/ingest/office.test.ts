import { describe, expect, test } from "vitest";
import { parsePptx } from "../../src/ingest/pptx.ts";
import { parseXlsx } from "../../src/ingest/xlsx.ts";
import { makePptx, makeXlsx, shape } from "../support/ooxml.ts";
import { makeZip } from "../support/zip.ts";

const OLD = Buffer.from("d0cf11e0a1b11ae1", "hex");
const refusal = (reason: RegExp) =>
  expect.objectContaining({ code: "request_invalid", message: expect.stringMatching(reason) });
const thrown = (read: () => unknown): unknown => {
  try {
    return read();
  } catch (error) {
    return error;
  }
};

describe("PPTX", () => {
  test("slides are pages in the presentation's order, their titles headings; notes come after", () => {
    const { blocks, title } = parsePptx(
      makePptx(
        [
          {
            shapes:
              shape(["출장비"], "title") +
              shape(["하루 8만 원 &amp; 실비", "숙박은 따로"], "body") +
              shape(["3"], "sldNum"),
          },
          {
            shapes: shape(["인사제도", "개편"], "ctrTitle") + shape(["꼬리말"], "ftr"),
            notes: shape(["시행일은 3월이다."], "body"),
          },
          { shapes: "<p:pic/>" },
        ],
        [1, 2, 0],
      ),
    );
    expect(blocks).toEqual([
      { kind: "heading", depth: 2, text: "인사제도", page: 1 },
      { kind: "heading", depth: 2, text: "개편", page: 1 },
      { kind: "text", text: "시행일은 3월이다.", page: 1 },
      { kind: "heading", depth: 2, text: "출장비", page: 3 },
      { kind: "text", text: "하루 8만 원 & 실비", page: 3 },
      { kind: "text", text: "숙박은 따로", page: 3 },
    ]);
    expect(title).toBe("인사제도");
  });

  test("tables, merged cells in each place", () => {
    const cell = (text: string, attributes = "") =>
      `<a:tc ${attributes}><a:txBody><a:p><a:r><a:t>${text}</a:t></a:r><a:br/><a:r><a:t>.</a:t></a:r></a:p></a:txBody></a:tc>`;
    const rows = [
      cell("구분", 'gridSpan="2"') + cell("x", 'hMerge="1"') + cell("금액"),
      cell("국내", 'rowSpan="2"') + cell("서울") + cell("8만"),
      cell("x", 'vMerge="1"') + cell("부산") + cell("7만"),
    ];
    const table = `<p:graphicFrame><a:tbl>${rows.map((row) => `<a:tr>${row}</a:tr>`).join("")}</a:tbl></p:graphicFrame>`;
    expect(parsePptx(makePptx([{ shapes: table }])).blocks).toEqual([
      { kind: "table", text: "구분 . | 구분 . | 금액 .\n국내 . | 서울 . | 8만 .\n국내 . | 부산 . | 7만 .", page: 1 },
    ]);
  });

  test.each([
    ["of before 2007", OLD, /^is encrypted, or a \.ppt of before 2007/],
    ["another archive", makeZip({ "a.xml": "<a/>" }), /^is no PPTX document/],
    ["pictures alone", makePptx([{ shapes: "<p:pic/>" }]), /^has no text/],
    ["cut off", Buffer.from("PK"), /^is cut off or damaged/],
  ])("%s: refused with the reason", (_, bytes, reason) => {
    expect(thrown(() => parsePptx(bytes))).toEqual(refusal(reason));
  });
});

describe("XLSX", () => {
  const row = (number: number, cells: string) => `<row r="${number}">${cells}</row>`;
  const said = (place: string, index: number) => `<c r="${place}" t="s"><v>${index}</v></c>`;
  const number = (place: string, value: number, style = 0) => `<c r="${place}" s="${style}"><v>${value}</v></c>`;

  test("sheets are headings, empty rows part tables, each with its own columns; hidden sheets are left out", () => {
    const texts = ["<t>질문</t>", "<r><t>답</t></r><r><t>변 &lt;표&gt;</t></r><rPh><t>읽기</t></rPh>", "<t>합계</t>"];
    const first =
      row(1, said("B1", 0) + said("C1", 1)) +
      row(2, '<c r="B2" t="inlineStr"><is><t>연차는?</t></is></c><c r="C2" t="str"><f>A1</f><v>15일</v></c>') +
      row(5, `${said("D5", 2)}<c r="E5" t="b"><v>1</v></c><c r="F5" t="e"><v>#N/A</v></c>`) +
      row(6, number("D6", 0.1 + 0.2) + number("E6", -3));
    expect(
      parseXlsx(makeXlsx({ sheets: { 규정: first, "-숨김": row(1, said("A1", 0)), 빈: "" }, texts })).blocks,
    ).toEqual([
      { kind: "heading", depth: 2, text: "규정" },
      { kind: "table", text: "질문 | 답변 <표>\n연차는? | 15일" },
      { kind: "table", text: "합계 | TRUE\n0.3 | -3" },
    ]);
  });

  test("dates, times and shares are written as they are shown, by either count of days", () => {
    const codes = [
      "yyyy&quot;년&quot; m&quot;월&quot;",
      "0.00&quot;d&quot;",
      "[Red]0.0%",
      "[h]:mm",
      "#,##0;[Red]-#,##0",
    ];
    const formats = codes.map((code, i) => `<numFmt numFmtId="${164 + i}" formatCode="${code}"/>`).join("");
    const ids = [0, 14, 22, 9, 164, 165, 166, 167, 168];
    const styles = `<numFmts>${formats}</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>${ids.map((id) => `<xf numFmtId="${id}"/>`).join("")}</cellXfs>`;
    const cells = [
      [45_000, 0, "45000"],
      [46_082, 1, "2026-03-01"],
      [46_082.395833333336, 2, "2026-03-01 09:30"],
      [0.125, 3, "12.5%"],
      [46_082, 4, "2026-03-01"],
      [1.5, 5, "1.5"],
      [0.07, 6, "7%"],
      [0.5, 7, "12:00"],
      [-1200, 8, "-1200"],
      [9e9, 1, "9000000000"],
    ] as const;
    const sheet = (offset = 0) =>
      row(1, `${number("A1", 1)}${number("B1", 1)}`) +
      cells
        .map(([value, style], i) =>
          row(
            i + 2,
            number(`A${i + 2}`, i) +
              number(`B${i + 2}`, value - ([1, 2, 4].includes(style) && value < 1e6 ? offset : 0), style),
          ),
        )
        .join("");
    const lines = (bytes: Buffer) =>
      parseXlsx(bytes)
        .blocks.at(-1)
        ?.text.split("\n")
        .slice(1)
        .map((line) => line.split(" | ")[1]);
    const shown = cells.map(([, , text]) => text);
    expect(lines(makeXlsx({ sheets: { a: sheet() }, styles }))).toEqual(shown);
    expect(lines(makeXlsx({ sheets: { a: sheet(1462) }, styles, properties: 'date1904="1"' }))).toEqual(shown);
  });

  test("merged cells stand in each row and column that they span; rows that one reaches over stay one table", () => {
    const texts = ["구분", "금액", "국내", "서울", "부산"].map((text) => `<t>${text}</t>`);
    const sheet =
      row(1, said("A1", 0) + number("D1", 2026)) +
      row(2, said("A2", 2) + said("B2", 3) + number("D2", 8)) +
      row(4, said("B4", 4) + number("D4", 7)) +
      '<mergeCells><mergeCell ref="A1:B1"/><mergeCell ref="A2:A4"/><mergeCell ref="X1:Y2"/><mergeCell ref="?"/></mergeCells>';
    expect(parseXlsx(makeXlsx({ sheets: { 출장비: sheet }, texts })).blocks.at(-1)).toEqual({
      kind: "table",
      text: "구분 | 구분 | 2026\n국내 | 서울 | 8\n국내 | 부산 | 7",
    });
  });

  test("a diagonal of cells is refused before it is spread; one cell far away takes no room", () => {
    const letters = (n: number): string =>
      n === 0 ? "" : letters(Math.floor((n - 1) / 26)) + String.fromCharCode(65 + ((n - 1) % 26));
    const diagonal = Array.from({ length: 1000 }, (_, i) => row(i + 1, number(`${letters(i + 1)}${i + 1}`, i))).join(
      "",
    );
    expect(thrown(() => parseXlsx(makeXlsx({ sheets: { a: diagonal } })))).toEqual(
      refusal(/^has more than 250000 cells/),
    );
    const far = row(1, number("A1", 1) + number("XFD1", 2)) + row(1_048_576, number("XFD1048576", 3));
    expect(
      parseXlsx(makeXlsx({ sheets: { a: far } }))
        .blocks.slice(1)
        .map(({ text }) => text),
    ).toEqual(["1 | 2", "3"]);
  });

  test.each([
    ["of before 2007", OLD, /^is encrypted, or a \.xls of before 2007/],
    ["another archive", makeZip({ "a.xml": "<a/>" }), /^is no XLSX document/],
  ])("%s: refused with the reason", (_, bytes, reason) => {
    expect(thrown(() => parseXlsx(bytes))).toEqual(refusal(reason));
  });
});
