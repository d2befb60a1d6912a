import { describe, expect, test } from "vitest";
import { parseXlsx } from "../../src/ingest/xlsx.ts";
import { makePptx, makeXlsx, references, shape } from "../support/ooxml.ts";
import { OLD, refusal, thrown } from "../support/refused.ts";
import { makeZip } from "../support/zip.ts";

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

  test("an empty column parts tables over other rows; over the same rows, or before a single column, it is the table's own", () => {
    const grid = (cells: Readonly<Record<string, string>>) => {
      const rows = Object.groupBy(Object.entries(cells), ([place]) => place.replace(/\D/g, ""));
      const cell = ([place, text]: readonly [string, string]) =>
        `<c r="${place}" t="inlineStr"><is><t>${text}</t></is></c>`;
      return Object.entries(rows)
        .map(([number, own = []]) => row(Number(number), own.map(cell).join("")))
        .join("");
    };
    const apart = { A1: "급여", A2: "부서", B2: "금액", A3: "인사", B3: "1", A4: "총무", B4: "2", A5: "※ 세전" };
    const beside = { D2: "직급", E2: "일수", D3: "사원", E3: "15" };
    const own = { A1: "항목", B1: "금액", D1: "세금", E1: "합계", A2: "급여", B2: "1", D2: "2", E2: "3" };
    const single = { A1: "항목", B1: "금액", D1: "비고", A2: "급여", B2: "1", A3: "상여", B3: "2" };
    const sheets = { 가: grid({ ...apart, ...beside }), 나: grid(own), 다: grid(single) };
    expect(parseXlsx(makeXlsx({ sheets })).blocks).toEqual([
      { kind: "heading", depth: 2, text: "가" },
      { kind: "text", text: "급여" },
      { kind: "table", text: "부서 | 금액\n인사 | 1\n총무 | 2\n※ 세전 | " },
      { kind: "table", text: "직급 | 일수\n사원 | 15" },
      { kind: "heading", depth: 2, text: "나" },
      { kind: "table", text: "항목 | 금액 | 세금 | 합계\n급여 | 1 | 2 | 3" },
      { kind: "heading", depth: 2, text: "다" },
      { kind: "table", text: "항목 | 금액 | 비고\n급여 | 1 | \n상여 | 2 | " },
    ]);
  });

  test("a table whose cells before others have a background is a form", () => {
    const styles =
      '<fills><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="solid"><fgColor theme="0" tint="-0.15"/></patternFill></fill></fills><cellXfs><xf fillId="0"/><xf fillId="1"/></cellXfs>';
    const cell = (place: string, text: string, style: number) =>
      `<c r="${place}" s="${style}" t="inlineStr"><is><t>${text}</t></is></c>`;
    const form =
      row(1, cell("A1", "성명", 1) + cell("B1", "홍길동", 0) + cell("C1", "부서", 1) + cell("D1", "인사팀", 0)) +
      row(2, cell("A2", "직급", 1) + cell("B2", "대리", 0) + cell("C2", "전화", 1));
    expect(parseXlsx(makeXlsx({ sheets: { 신청서: form }, styles })).blocks.slice(1)).toEqual([
      { kind: "list", text: "- 성명: 홍길동\n- 부서: 인사팀\n- 직급: 대리" },
    ]);
  });

  test("raised figures are told apart, what is struck out is marked, as a cell and in it; formulas without a value are told", () => {
    const styles = '<fonts><font/><font><strike/></font></fonts><cellXfs><xf fontId="0"/><xf fontId="1"/></cellXfs>';
    const look = (text: string, properties: string) => `<r><rPr>${properties}</rPr><t>${text}</t></r>`;
    const texts = [
      `<r><t>10</t></r>${look("2", '<vertAlign val="superscript"/>')}<r><t>㎡</t></r>`,
      `${look("10일", "<strike/>")}<r><t> 15일</t></r>`,
    ];
    const first = row(1, said("A1", 0) + said("B1", 1));
    const second = row(2, `${number("A2", 5, 1)}<c r="B2"><f>A1+1</f><v/></c>`);
    const empty = row(3, '<c r="A3" t="str"><f>""</f><v></v></c><c r="B3"><f>A2</f><v>7</v></c>');
    expect(parseXlsx(makeXlsx({ sheets: { 가: first + second + empty }, texts, styles }))).toMatchObject({
      blocks: [{ text: "가" }, { kind: "table", text: "10^2㎡ | ~~10일~~ 15일\n~~5~~ | \n | 7" }],
      notice: "cells with a formula and no value: 1; open it in Excel and save it, for their results",
    });
  });

  test("numbers, dates and shares are written as they are shown, by either count of days", () => {
    const shown = [
      [45_000, "General", "45000"],
      [0.1 + 0.2, "G/표준", "0.3"],
      [7, "@", "7"],
      [46_082, 14, "2026-03-01"],
      [46_082.395833333336, 22, "2026-03-01 09:30"],
      [46_082, 31, "2026년 3월 1일"],
      [0.125, 10, "12.50%"],
      [46_082.5, 'yyyy"년" m"월" d"일"', "2026년 3월 1일"],
      [46_082, "yyyy-mm-dd(aaa)", "2026-03-01(일)"],
      [0.395833333333, "[$-412]AM/PM h:mm;@", "오전 9:30"],
      [1.5, "[h]:mm", "36:00"],
      [0.07, "[Red]0.0%", "7.0%"],
      [1_500_000, '_-"₩"* #,##0_-', "₩1,500,000"],
      [-1200, "#,##0;[Red]△#,##0", "△1,200"],
      [1_012_345_678, "000-0000-0000", "010-1234-5678"],
      [15, '0"일"', "15일"],
      [0.75, "# ?/?", "3/4"],
      [5, ";;;", ""],
      [9e9, "yyyy-mm-dd", "9000000000"],
      [-3, "yyyy-mm-dd", "-3"],
      [5, '0"', "5"],
      [5, "0".repeat(300), "5"],
    ] as const;
    const quoted = (code: string) => code.replaceAll('"', "&quot;");
    const formats = shown.map(([, code], i) =>
      typeof code === "number" ? "" : `<numFmt numFmtId="${164 + i}" formatCode="${quoted(code)}"/>`,
    );
    const xfs = shown.map(([, code], i) => `<xf numFmtId="${typeof code === "number" ? code : 164 + i}"/>`);
    const styles = `<numFmts>${formats.join("")}</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>${xfs.join("")}</cellXfs>`;
    const sheet = (daysLess = 0) =>
      row(1, `${number("A1", 1)}${number("B1", 1)}`) +
      shown
        .map(([value, code], i) => {
          const isDate = value > 46_000 && value < 47_000 && code !== "General";
          return row(i + 2, number(`A${i + 2}`, i) + number(`B${i + 2}`, value - (isDate ? daysLess : 0), i));
        })
        .join("");
    const lines = (bytes: Buffer) => parseXlsx(bytes).blocks.at(-1)?.text.split("\n").slice(1);
    const expected = shown.map(([, , text], i) => `${i} | ${text}`);
    expect(lines(makeXlsx({ sheets: { a: sheet() }, styles }))).toEqual(expected);
    const since1904 = lines(makeXlsx({ sheets: { a: sheet(1462) }, styles, properties: 'date1904="1"' }));
    expect(since1904?.filter((_, i) => shown[i]?.[0] !== -3)).toEqual(expected.filter((_, i) => shown[i]?.[0] !== -3));
  });

  test("rows of one cell above a table are text: the header is the first row of more", () => {
    const texts = ["2026년 가격표", "담당: 총무팀", "품목", "가격", "펜", "상반기"].map((text) => `<t>${text}</t>`);
    const sheet =
      row(1, said("A1", 0)) +
      row(2, said("A2", 1)) +
      row(3, said("B3", 5)) +
      row(4, said("A4", 2) + said("B4", 3) + said("C4", 3)) +
      row(5, said("A5", 4) + number("B5", 900) + number("C5", 950)) +
      '<mergeCell ref="A1:B1"/><mergeCell ref="B3:C3"/><mergeCell ref="C5:A1"/>';
    expect(parseXlsx(makeXlsx({ sheets: { 가: sheet }, texts })).blocks.slice(1)).toEqual([
      { kind: "text", text: "2026년 가격표" },
      { kind: "text", text: "담당: 총무팀" },
      { kind: "table", text: " | 상반기 | 상반기\n품목 | 가격 | 가격\n펜 | 900 | 950" },
    ]);
  });

  test("hidden rows and columns do not come, and part no table; what a filter or a folded group hides does", () => {
    const cells = (r: number) => number(`A${r}`, r) + number(`B${r}`, 10 * r) + number(`C${r}`, 100 * r);
    const rows = (attributes: string) =>
      `${row(1, cells(1))}<row r="2" ${attributes}>${cells(2)}</row>${row(3, cells(3))}`;
    const columns = '<cols><col min="2" max="2" hidden="1"/><col min="3" max="3" hidden="1" outlineLevel="1"/></cols>';
    const hidden = 'hidden="1"';
    const filter = "<autoFilter><filterColumn/></autoFilter>";
    const tables = {
      "xl/worksheets/_rels/sheet3.xml.rels": references({ t: ["table", "../tables/t.xml"] }),
      "xl/tables/t.xml": `<table>${filter}</table>`,
    };
    const sheets = {
      숨김: columns + rows(hidden),
      거름: rows(hidden) + filter,
      접음: rows(`${hidden} outlineLevel="1"`),
      표: rows(hidden),
    };
    const all = "1 | 10 | 100\n2 | 20 | 200\n3 | 30 | 300";
    const { blocks } = parseXlsx(makeXlsx({ sheets, more: tables }));
    expect(blocks.filter(({ kind }) => kind === "table").map(({ text }) => text)).toEqual([
      "1 | 100\n3 | 300",
      all,
      all,
      all,
    ]);
  });

  test("a merged cell comes where it reaches a row and a column that are shown, and else not", () => {
    const hidden = '<cols><col min="2" max="3" hidden="1"/></cols>';
    const away = (r: number, cells: string) => `<row r="${r}" hidden="1">${cells}</row>`;
    const sheet =
      hidden +
      row(1, number("A1", 1) + number("B1", 11) + number("D1", 111)) +
      away(2, number("A2", 2) + number("D2", 222)) +
      away(3, number("D3", 333)) +
      away(4, number("A4", 4)) +
      row(5, number("C5", 5) + number("D5", 555));
    const merged = (...refs: string[]) => refs.map((ref) => `<mergeCell ref="${ref}"/>`).join("");
    const textOf = (refs: string) => parseXlsx(makeXlsx({ sheets: { 가: sheet + refs } })).blocks.at(-1)?.text;
    expect(textOf(merged("B1:C1", "A2:A3", "D2:D3", "C5:C6"))).toBe("1 | 111\n | 555");
    expect(textOf(merged("A4:A5", "D2:D3"))).toBe("1 | 111\n4 | 555");
    expect(textOf(merged("C5:D5"))).toBe("1 | 111\n | 5");
  });

  test("many rows hidden and many cells merged over them take no time for each pair", () => {
    const rows = Array.from({ length: 100_000 }, (_, i) => `<row hidden="1"><c r="A${i + 1}"><v>1</v></c></row>`);
    const merges = rows.map((_, i) => `<mergeCell ref="A${i + 1}:A100000"/>`);
    const sheet = rows.join("") + row(1_000_000, number("A1000000", 7)) + merges.join("");
    expect(parseXlsx(makeXlsx({ sheets: { 가: sheet } })).blocks.map(({ text }) => text)).toEqual(["가", "7"]);
  });

  test("a sheet with charts, pictures or empty boxes alone is none", () => {
    const drawing = (xml: string) =>
      parseXlsx(
        makeXlsx({
          sheets: { Sheet1: "" },
          more: {
            "xl/worksheets/_rels/sheet0.xml.rels": references({ d: ["drawing", "../drawings/d.xml"] }),
            "xl/drawings/d.xml": `<xdr:wsDr>${xml}</xdr:wsDr>`,
          },
        }),
      ).blocks;
    expect(drawing('<xdr:graphicFrame><c:chart r:id="c"/></xdr:graphicFrame>')).toEqual([]);
    expect(drawing("<xdr:pic/>")).toEqual([]);
    expect(drawing(shape([" "]) + shape([""], "title"))).toEqual([]);
    expect(drawing(shape(["글"]))).toHaveLength(2);
  });

  test("text boxes come after their sheet's tables; parts are found by what refers to them", () => {
    const texts = ["<t>글</t>"];
    const file = makeXlsx({
      sheets: { 가: row(1, said("A1", 0)) },
      more: {
        "xl\\worksheets\\_rels\\Sheet0.xml.rels": references({ d: ["drawing", "../drawings/%EA%B7%B8%EB%A6%BC.xml"] }),
        "xl/drawings/그림.xml": shape(["※ 부가세 별도"]),
        "_rels/.rels": references({ w: ["officeDocument", "/xl/book.xml"] }),
        "xl/book.xml": `<x:workbook><x:sheets><x:sheet name="책" d3p1:id="s"/></x:sheets></x:workbook>`,
        "xl/_rels/book.xml.rels": references({
          s: ["worksheet", "worksheets/sheet0.xml"],
          t: ["sharedStrings", "texts.xml"],
        }),
        "xl/texts.xml": `<sst>${texts.map((text) => `<si>${text}</si>`).join("")}</sst>`,
      },
    });
    expect(parseXlsx(file).blocks).toEqual([
      { kind: "heading", depth: 2, text: "책" },
      { kind: "table", text: "글" },
      { kind: "text", text: "※ 부가세 별도" },
    ]);
  });

  test("one long text in every cell is refused", () => {
    const cells = Array.from({ length: 100 }, (_, i) => row(i + 1, said(`A${i + 1}`, 0))).join("");
    const file = makeXlsx({ sheets: { a: cells }, texts: [`<t>${"가".repeat(1_000_000)}</t>`] });
    expect(thrown(() => parseXlsx(file))).toEqual(refusal(/^has more than 64000000 characters in its cells$/));
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
    ["encrypted", Buffer.concat([OLD, Buffer.from("EncryptedPackage", "utf16le")]), /^is encrypted: save it without/],
    ["of before 2007", OLD, /^is encrypted, or a \.xls of before 2007/],
    ["another archive", makeZip({ "a.xml": "<a/>" }), /^is no XLSX document/],
    [
      "another document of Office",
      makePptx([{ shapes: shape(["글"]) }], [0], {
        "_rels/.rels": references({ p: ["officeDocument", "ppt/presentation.xml"] }),
      }),
      /^is no XLSX document/,
    ],
  ])("%s: refused with the reason", (_, bytes, reason) => {
    expect(thrown(() => parseXlsx(bytes))).toEqual(refusal(reason));
  });
});
