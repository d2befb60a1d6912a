import { describe, expect, test } from "vitest";
import { parsePptx } from "../../src/ingest/pptx.ts";
import { toSections } from "../../src/ingest/sections.ts";
import { makePptx, references, shape } from "../support/ooxml.ts";
import { OLD, refusal, thrown } from "../support/refused.ts";
import { makeZip } from "../support/zip.ts";

describe("PPTX", () => {
  test("paragraphs have the numbers that PowerPoint makes; raised figures are told apart, what is struck out is marked", () => {
    const line = (text: string, type = "", level = 0) =>
      `<a:p><a:pPr lvl="${level}">${type && `<a:buAutoNum type="${type}"/>`}</a:pPr><a:r><a:t>${text}</a:t></a:r></a:p>`;
    const look = (text: string, properties: string) => `<a:r><a:rPr ${properties}/><a:t>${text}</a:t></a:r>`;
    const lines = [
      line("신청", "arabicPeriod") + line("본인", "circleNumDbPlain", 1) + line("가족", "circleNumDbPlain", 1),
      line("승인", "arabicPeriod") +
        line("팀장", "circleNumDbPlain", 1) +
        line("번호 없음") +
        line("다시", "alphaLcParenR"),
      `<a:p>${look("10", "")}${look("2", 'baseline="30000"')}${look("㎡, ", "")}${look("10", 'strike="sngStrike"')}${look("일", 'strike="sngStrike" b="1"')}</a:p>`,
    ];
    const { blocks } = parsePptx(makePptx([{ shapes: `<p:sp><p:txBody>${lines.join("")}</p:txBody></p:sp>` }]));
    expect(blocks.map(({ text }) => text)).toEqual([
      ...["", "1. 신청", "① 본인", "② 가족", "2. 승인", "① 팀장", "번호 없음", "a) 다시"],
      "10^2㎡, ~~10일~~",
    ]);
  });

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
      { kind: "heading", depth: 2, text: "인사제도 개편", page: 1 },
      { kind: "text", text: "시행일은 3월이다.", page: 1 },
      { kind: "heading", depth: 2, text: "출장비", page: 3 },
      { kind: "text", text: "하루 8만 원 & 실비", page: 3 },
      { kind: "text", text: "숙박은 따로", page: 3 },
    ]);
    expect(title).toBe("인사제도 개편");
  });

  test("a title that is drawn last comes first; a copy for older programs and hidden slides do not come", () => {
    const choice = `<mc:Choice>${shape(["새 글"])}</mc:Choice><mc:Fallback>${shape(["새 글"])}</mc:Fallback>`;
    const file = makePptx(
      [
        { shapes: shape(["숨긴 글"]) },
        { shapes: `<mc:AlternateContent>${choice}</mc:AlternateContent>${shape(["절차"], "title")}` },
      ],
      [0, 1],
      { "ppt/slides/slide0.xml": `<p:sld show="0">${shape(["숨긴 글"])}</p:sld>` },
    );
    expect(parsePptx(file).blocks).toEqual([
      { kind: "heading", depth: 2, text: "절차", page: 2 },
      { kind: "text", text: "새 글", page: 2 },
    ]);
  });

  test("charts are tables, SmartArt is text, where they stand", () => {
    const point = (i: number, text: string) => `<c:pt idx="${i}"><c:v>${text}</c:v></c:pt>`;
    const series = (name: string, ...values: string[]) =>
      `<c:ser><c:tx><c:strRef><c:f>A1</c:f><c:strCache>${point(0, name)}</c:strCache></c:strRef></c:tx><c:dLbls><c:tx><a:t>x</a:t></c:tx></c:dLbls><c:cat><c:strCache>${point(0, "1분기")}${point(1, "2분기")}</c:strCache></c:cat><c:val><c:constructor/><c:numCache><c:formatCode>0.0%</c:formatCode>${values.map((value, i) => point(i, value)).join("")}</c:numCache></c:val></c:ser>`;
    const chart = `<c:chartSpace><c:chart><c:title><a:p><a:r><a:t>달성률</a:t></a:r></a:p></c:title>${series("국내", "0.125", "0.5")}${series("해외", "1")}</c:chart></c:chartSpace>`;
    const frames = `<a:graphic><c:chart r:id="c"/></a:graphic>${shape(["사이 글"])}<a:graphic><dgm:relIds r:dm="d" r:lo="l"/></a:graphic>`;
    const file = makePptx([{ shapes: frames }], [0], {
      "ppt/slides/_rels/slide0.xml.rels": references({
        c: ["chart", "../charts/c.xml"],
        d: ["diagramData", "../d.xml"],
      }),
      "ppt/charts/c.xml": chart,
      "ppt/d.xml": "<dgm:pt><dgm:t><a:p><a:r><a:t>신청</a:t></a:r></a:p></dgm:t></dgm:pt>",
    });
    expect(parsePptx(file).blocks).toEqual([
      { kind: "heading", depth: 2, text: "", page: 1 },
      { kind: "text", text: "달성률", page: 1 },
      { kind: "table", text: " | 국내 | 해외\n1분기 | 12.5% | 100.0%\n2분기 | 50.0% | ", page: 1 },
      { kind: "text", text: "사이 글", page: 1 },
      { kind: "text", text: "신청", page: 1 },
    ]);
  });

  test("a slide without a title is not of the slide before", () => {
    const file = makePptx([{ shapes: shape(["휴가"], "title") + shape(["15일"]) }, { shapes: shape(["따로 선 글"]) }]);
    const { blocks, title } = parsePptx(file);
    expect(title).toBe("휴가");
    expect(toSections(blocks).map(({ headings, blocks: [first] }) => [headings, first?.text])).toEqual([
      [["휴가"], "15일"],
      [[], "따로 선 글"],
    ]);
  });

  test("one part that is every slide is refused", () => {
    const file = makePptx([{ shapes: shape(["가".repeat(500_000)]) }], Array(100).fill(0));
    expect(thrown(() => parsePptx(file))).toEqual(refusal(/^refers to more than 128 MB of text/));
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
    expect(parsePptx(makePptx([{ shapes: table }])).blocks.slice(1)).toEqual([
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
