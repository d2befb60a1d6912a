import { CommentReference, Document, FootnoteReferenceRun, HeadingLevel, Packer, Paragraph, TextRun } from "docx";
import { expect, test } from "vitest";
import { parseDocx } from "../../src/ingest/docx.ts";
import { makeDocx } from "../support/zip.ts";

type Level = (typeof HeadingLevel)[keyof typeof HeadingLevel];

test.each([
  { name: "several chapters, the first of which is no title", titles: [], chapters: ["제1장 총칙", "제2장 휴가"] },
  { name: "a title of its own", titles: ["취업규칙"], chapters: ["제1장 총칙"] },
])("headings: $name", async ({ titles, chapters }) => {
  const heading = (text: string, level: Level) => new Paragraph({ text, heading: level });
  const children = [
    ...titles.map((title) => heading(title, HeadingLevel.TITLE)),
    ...chapters.flatMap((chapter) => [
      heading(chapter, HeadingLevel.HEADING_1),
      heading("제1조", HeadingLevel.HEADING_2),
      new Paragraph("글"),
    ]),
  ];
  const { blocks } = await parseDocx(await Packer.toBuffer(new Document({ sections: [{ children }] })));
  expect(blocks).toEqual([
    ...titles.map((text) => ({ kind: "heading", depth: 1, text })),
    ...chapters.flatMap((text) => [
      { kind: "heading", depth: 2, text },
      { kind: "heading", depth: 3, text: "제1조" },
      { kind: "text", text: "글" },
    ]),
  ]);
});

test("notes come after their paragraph, without a mark that would look like a citation; comments do not come", async () => {
  const line = new Paragraph({
    children: [
      new TextRun("연차는 15일이다."),
      new FootnoteReferenceRun(1),
      new TextRun({ children: [new CommentReference(0)] }),
    ],
  });
  const document = new Document({
    footnotes: { 1: { children: [new Paragraph("근로기준법 제60조")] } },
    comments: { children: [{ id: 0, children: [new Paragraph("확인 필요")] }] },
    sections: [{ children: [line] }],
  });
  const { blocks } = await parseDocx(await Packer.toBuffer(document));
  expect(blocks).toEqual([
    { kind: "text", text: "연차는 15일이다." },
    { kind: "text", text: "근로기준법 제60조" },
  ]);
});

test("what a template says to write is no text", async () => {
  const line = new Paragraph({
    children: [new TextRun("제목: "), new TextRun({ text: "제목을 입력하십시오", style: "PlaceholderText" })],
  });
  const document = new Document({
    styles: { characterStyles: [{ id: "PlaceholderText", name: "Placeholder Text" }] },
    sections: [{ children: [line] }],
  });
  expect((await parseDocx(await Packer.toBuffer(document))).blocks).toEqual([{ kind: "text", text: "제목:" }]);
});

const run = (text: string, look = "") => `<w:r><w:rPr>${look}</w:rPr><w:t xml:space="preserve">${text}</w:t></w:r>`;
const paragraph = (content: string, { properties = "", mark = "" } = {}) =>
  `<w:p><w:pPr>${properties}<w:rPr>${mark}</w:rPr></w:pPr>${content.startsWith("<") ? content : run(content)}</w:p>`;
const styled = (text: string, style: string) => paragraph(text, { properties: `<w:pStyle w:val="${style}"/>` });
const numbered = (text: string, id: number, level: number) =>
  paragraph(text, {
    properties: `<w:numPr><w:ilvl w:val="${level}"/><w:numId w:val="${id}"/></w:numPr>`,
  });
const turn = (type: string, data = "") => `<w:r><w:fldChar w:fldCharType="${type}">${data}</w:fldChar></w:r>`;
const instruction = (text: string) => `<w:r><w:instrText>${text}</w:instrText></w:r>`;
const textsOf = (body: string, more = {}) => parseDocx(makeDocx(body, more)).blocks.map(({ text }) => text);

const STYLES = `<w:styles>
<w:style w:type="paragraph" w:styleId="1"><w:name w:val="heading 1"/><w:pPr><w:numPr><w:numId w:val="1"/></w:numPr><w:outlineLvl w:val="0"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="a"><w:name w:val="조"/><w:pPr><w:numPr><w:numId w:val="2"/></w:numPr></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="b"><w:name w:val="회사 소제목"/><w:basedOn w:val="2"/></w:style>
<w:style w:type="paragraph" w:styleId="2"><w:name w:val="heading 2"/></w:style>
<w:style w:type="paragraph" w:styleId="t"><w:name w:val="TOC Heading"/><w:basedOn w:val="2"/></w:style></w:styles>`;
const level = (at: number, format: string, text: string, more = "") =>
  `<w:lvl w:ilvl="${at}"><w:start w:val="1"/><w:numFmt w:val="${format}"/>${more}<w:lvlText w:val="${text}"/></w:lvl>`;
const of = (id: number, levels: string) => `<w:abstractNum w:abstractNumId="${id}">${levels}</w:abstractNum>`;
const num = (id: number, abstract: number, more = "") =>
  `<w:num w:numId="${id}"><w:abstractNumId w:val="${abstract}"/>${more}</w:num>`;
const NUMBERING = `<w:numbering>
${of(0, level(0, "decimal", "제%1장", '<w:pStyle w:val="1"/>'))}
${of(1, level(0, "decimal", "제%1조", '<w:suff w:val="nothing"/>') + level(1, "decimalEnclosedCircle", "%2") + level(2, "decimal", "%3.") + level(3, "ganada", "%4."))}
${of(2, level(0, "upperRoman", "%1.") + level(1, "decimal", "%1-%2)", "<w:isLgl/>"))}
${of(3, level(0, "bullet", "\uf0b7") + level(1, "bullet", "o"))}
${num(1, 0)}${num(2, 1)}${num(3, 2)}${num(4, 2, '<w:lvlOverride w:ilvl="0"><w:startOverride w:val="4"/></w:lvlOverride>')}${num(5, 3)}</w:numbering>`;
const PARTS = { "word/styles.xml": STYLES, "word/numbering.xml": NUMBERING };

test("paragraphs have the numbers that Word makes; headings are those of styles that rest on headings, and of outlines", () => {
  const body = [
    styled("총칙", "1"),
    styled("(목적) 이 규칙은 휴가를 정한다.", "a"),
    styled("(휴가)", "a"),
    numbered("다음 각 호와 같다.", 2, 1),
    ...[numbered("연차", 2, 2), numbered("본인", 2, 3), numbered("가족", 2, 3), numbered("병가", 2, 2)],
    numbered("수습도 같다.", 2, 1),
    styled("휴직", "1"),
    styled("(휴직)", "a"),
    numbered("1년까지로 한다.", 2, 1),
    styled("소제목", "b"),
    ...[numbered("하나", 3, 0), numbered("둘", 3, 0), numbered("둘째의 첫째", 3, 1), numbered("넷", 4, 0)],
    paragraph("개요", { properties: '<w:outlineLvl w:val="1"/>' }),
    ...[numbered("점", 5, 0), numbered("안의 점", 5, 1), numbered("번호 없음", 0, 0)],
  ];
  expect(parseDocx(makeDocx(body.join(""), PARTS)).blocks).toEqual([
    { kind: "heading", depth: 2, text: "제1장 총칙" },
    { kind: "text", text: "제1조(목적) 이 규칙은 휴가를 정한다." },
    { kind: "text", text: "제2조(휴가)" },
    { kind: "list", text: "① 다음 각 호와 같다.\n1. 연차\n가. 본인\n나. 가족\n2. 병가\n② 수습도 같다." },
    { kind: "heading", depth: 2, text: "제2장 휴직" },
    { kind: "text", text: "제3조(휴직)" },
    { kind: "list", text: "① 1년까지로 한다." },
    { kind: "heading", depth: 3, text: "소제목" },
    { kind: "list", text: "I. 하나\nII. 둘\n2-1) 둘째의 첫째\nIV. 넷" },
    { kind: "heading", depth: 3, text: "개요" },
    { kind: "list", text: "- 점\n  - 안의 점" },
    { kind: "text", text: "번호 없음" },
  ]);
});

test("tracked changes are what they come to; hidden text does not come, struck-out text stays marked", () => {
  const changed = `${run("연차는 ")}<w:del><w:r><w:delText>10일</w:delText></w:r></w:del><w:ins>${run("15일")}</w:ins>${run("이다.")}`;
  const moved = paragraph(`<w:moveFrom>${run("옮긴 글")}</w:moveFrom>`, { mark: "<w:moveFrom/>" });
  expect(
    textsOf(
      [
        paragraph(changed),
        moved + paragraph(`<w:moveTo>${run("옮긴 글")}</w:moveTo>`),
        paragraph("앞과 ", { mark: "<w:del/>" }) + paragraph("뒤"),
        paragraph(run("보이는") + run("숨은", "<w:vanish/>") + run(" 글", '<w:vanish w:val="0"/>')),
        paragraph(run("옛 ") + run("10", "<w:strike/>") + run("일", "<w:strike/><w:b/>") + run(" 새 15일")),
        paragraph(run("10") + run("2", '<w:vertAlign w:val="superscript"/>') + run("㎡")),
      ].join(""),
    ),
  ).toEqual(["연차는 15일이다.", "옮긴 글", "앞과 뒤", "보이는 글", "옛 ~~10일~~ 새 15일", "10^2㎡"]);
});

test("fields, controls and forms show what a reader sees; tables of contents and prompts do not come", () => {
  const contents = `${styled("목차", "t")}${paragraph(turn("begin") + instruction("TOC \\o") + turn("separate") + run("제1장 1"))}${paragraph(turn("end"))}`;
  const box = turn("begin", "<w:ffData><w:checkBox><w:default w:val='0'/><w:checked/></w:checkBox></w:ffData>");
  const choice = turn(
    "begin",
    '<w:ffData><w:ddList><w:result w:val="1"/><w:listEntry w:val="인사"/><w:listEntry w:val="총무"/></w:ddList></w:ffData>',
  );
  const control = (properties: string, text: string) =>
    `<w:sdt><w:sdtPr>${properties}</w:sdtPr><w:sdtContent>${run(text)}</w:sdtContent></w:sdt>`;
  expect(
    textsOf(
      [
        contents,
        paragraph(`<w:fldSimple w:instr=" SEQ 표 ">${run("1")}</w:fldSimple>${run("번 표")}`),
        paragraph(turn("begin") + instruction("HYPERLINK x") + turn("separate") + run("누리집") + turn("end")),
        paragraph(box + instruction("FORMCHECKBOX") + turn("end") + run(" 동의")),
        paragraph(choice + instruction("FORMDROPDOWN") + turn("separate") + turn("end") + run(" 부서")),
        paragraph(control("<w:showingPlcHdr/>", "여기를 누르십시오") + control("<w14:checkbox/>", "☒") + run(" 예")),
      ].join(""),
      PARTS,
    ),
  ).toEqual(["1번 표", "누리집", "☑ 동의", "총무 부서", "☒ 예"]);
});

test("a field that nothing ends hides no more than its paragraph", () => {
  const unfinished = paragraph(run("앞 ") + turn("begin") + instruction("PAGE"));
  expect(textsOf(`${unfinished}${paragraph("다음")}${paragraph("끝")}`)).toEqual(["앞", "다음", "끝"]);
});

test("symbols, ruby and formulas are text", () => {
  const math = (content: string) => `<m:r><m:t>${content}</m:t></m:r>`;
  const fraction = `<m:f><m:num>${math("b+c")}</m:num><m:den>${math("2")}</m:den></m:f>`;
  const power = `<m:sSup><m:e>${math("x")}</m:e><m:sup>${math("2")}</m:sup></m:sSup>`;
  const formula = `<m:oMath>${math("a=")}${fraction}${math("+")}<m:d><m:e>${power}</m:e></m:d><m:rad><m:deg/><m:e>${math("z")}</m:e></m:rad></m:oMath>`;
  expect(
    textsOf(
      [
        paragraph(
          `<w:r><w:sym w:font="Wingdings" w:char="F0FC"/></w:r><w:r><w:sym w:font="Symbol" w:char="F0B3"/></w:r>`,
        ),
        paragraph(
          `<w:r><w:ruby><w:rt>${run("연차")}</w:rt><w:rubyBase>${run("年次")}</w:rubyBase></w:ruby></w:r>${run(" 휴가")}`,
        ),
        paragraph(formula),
        paragraph(
          `<w:r><w:t>성명</w:t><w:tab/><w:t>홍\u00ad길동</w:t><w:br/><w:t>02</w:t><w:noBreakHyphen/><w:t>1</w:t></w:r>`,
        ),
      ].join(""),
    ),
  ).toEqual(["✓≥", "年次(연차) 휴가", "a=(b+c)/2+(x^2)√(z)", "성명 홍길동\n02-1"]);
});

test("text boxes come once, after their paragraph; a table of one cell is a frame, deleted rows do not come", () => {
  const box = (wrap: (content: string) => string) => wrap(`<w:txbxContent>${paragraph("상자")}</w:txbxContent>`);
  const drawing = box((content) => `<mc:Choice><w:drawing><wps:txbx>${content}</wps:txbx></w:drawing></mc:Choice>`);
  const old = box((content) => `<mc:Fallback><w:pict><v:textbox>${content}</v:textbox></w:pict></mc:Fallback>`);
  const cell = (content: string, properties = "") =>
    `<w:tc><w:tcPr>${properties}</w:tcPr>${content.startsWith("<") ? content : paragraph(content)}</w:tc>`;
  const row = (cells: string, properties = "") => `<w:tr><w:trPr>${properties}</w:trPr>${cells}</w:tr>`;
  const rows = [
    row(cell("구분", '<w:vMerge w:val="restart"/>') + cell("지급", '<w:gridSpan w:val="2"/>'), "<w:tblHeader/>"),
    row(cell(" ", "<w:vMerge/>") + cell("기본") + cell("수당"), "<w:tblHeader/>"),
    row(cell("인사") + cell("1") + cell(`<w:tbl>${row(cell("안1") + cell("안2"))}</w:tbl>${paragraph("뒤")}`)),
    row(cell("지움") + cell("2") + cell("3"), "<w:del/>"),
    row(cell("4") + cell("5"), '<w:gridBefore w:val="1"/>'),
  ];
  const frame = row(cell(styled("틀의 제목", "2") + paragraph("틀의 글")));
  expect(
    parseDocx(
      makeDocx(
        `${paragraph(`${run("앞")}<w:r><mc:AlternateContent>${drawing}${old}</mc:AlternateContent></w:r>${run(" 뒤")}`)}<w:tbl>${rows.join("")}</w:tbl><w:tbl>${frame}</w:tbl>`,
        PARTS,
      ),
    ).blocks,
  ).toEqual([
    { kind: "text", text: "앞 뒤" },
    { kind: "text", text: "상자" },
    { kind: "table", text: "구분 | 지급 기본 | 지급 수당\n인사 | 1 | 안1 안2 뒤\n | 4 | 5" },
    { kind: "heading", depth: 3, text: "틀의 제목" },
    { kind: "text", text: "틀의 글" },
  ]);
});

test("a table whose cells before others have a background is a form; one with a header row is none", () => {
  const cell = (text: string, fill = "auto", columns = 1) =>
    `<w:tc><w:tcPr><w:gridSpan w:val="${columns}"/><w:shd w:val="clear" w:fill="${fill}"/></w:tcPr>${paragraph(text)}</w:tc>`;
  const table = (...rows: string[][]) =>
    `<w:tbl>${rows.map((cells) => `<w:tr>${cells.join("")}</w:tr>`).join("")}</w:tbl>`;
  const form = table(
    [cell("인적 사항", "D9D9D9", 4)],
    [cell("성명", "D9D9D9"), cell("홍길동"), cell("부서", "D9D9D9"), cell("인사팀")],
    [cell("사유", "D9D9D9"), cell("개인 사정", "auto", 3)],
  );
  const headed = table(
    [cell("구분", "D9D9D9"), cell("일수", "D9D9D9")],
    [cell("연차", "D9D9D9"), cell("15일", "FFFFFF")],
  );
  expect(parseDocx(makeDocx(form + headed)).blocks).toEqual([
    { kind: "list", text: "인적 사항\n- 성명: 홍길동\n- 부서: 인사팀\n- 사유: 개인 사정" },
    { kind: "table", text: "구분 | 일수\n연차 | 15일" },
  ]);
});

test("elements where they cannot stand break nothing", () => {
  const odd = `<m:oMath><w:tc></m:oMath></w:tc><w:rPr><w:txbxContent></w:rPr></w:txbxContent></w:tc></w:tr></w:tbl>`;
  expect(textsOf(`${odd}<w:pPr><w:tc></w:pPr></w:tc></w:p>${paragraph("글")}`)).toEqual(["글"]);
});
