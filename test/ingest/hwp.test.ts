import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { HwpDocument } from "@rhwp/core";
import { afterEach, describe, expect, test, vi } from "vitest";
import { parseHancom } from "../../src/ingest/hwp.ts";
import { makeHwp, makeHwpx, paragraph, text } from "../support/hwp.ts";
import { makeDocx, makeZip } from "../support/zip.ts";

const blocksOf = async (...sections: string[]) => (await parseHancom(makeHwpx(sections))).blocks;
const cell = (content: string, { columns = 1, rows = 1 } = {}) =>
  `<hp:tc><hp:subList>${content}</hp:subList><hp:cellAddr colAddr="0" rowAddr="0"/><hp:cellSpan colSpan="${columns}" rowSpan="${rows}"/></hp:tc>`;
const said = (content: string) => paragraph(text(content));
const table = (...rows: string[][]) =>
  `<hp:tbl rowCnt="${rows.length}" colCnt="${rows[0]?.length}">${rows.map((cells) => `<hp:tr>${cells.join("")}</hp:tr>`).join("")}</hp:tbl>`;

describe("HWPX", () => {
  test("headings are those of outlines and styles; what an outline numbers and is a sentence is text", async () => {
    const long = "가".repeat(101);
    expect(
      await blocksOf(
        paragraph(text("취업규칙"), { style: 1 }) +
          paragraph(text("제1장 휴가 &amp; 휴직 &lt;개정&gt;"), { outline: 1 }) +
          paragraph(text("연차는 15일이다."), { outline: 2 }) +
          paragraph(text("이월"), { style: 2 }) +
          paragraph(text(long), { outline: 1 }) +
          said("끝"),
      ),
    ).toEqual([
      { kind: "heading", depth: 1, text: "취업규칙" },
      { kind: "heading", depth: 2, text: "제1장 휴가 & 휴직 <개정>" },
      { kind: "text", text: "연차는 15일이다." },
      { kind: "heading", depth: 3, text: "이월" },
      { kind: "text", text: long },
      { kind: "text", text: "끝" },
    ]);
  });

  test("paragraphs have the numbers that Hancom makes: of the section's outline, of a series, of lists", async () => {
    const heads = (...all: [format: string, text: string][]) =>
      all.map(
        ([format, text], i) => `<hh:paraHead start="1" level="${i + 1}" numFormat="${format}">${text}</hh:paraHead>`,
      );
    const outline = heads(["DIGIT", "제^1장"], ["DIGIT", "제^2조"], ["CIRCLED_DIGIT", "^3"]).join("");
    const series = heads(["HANGUL_SYLLABLE", "^1."], ["DIGIT", "^n)"]).join("");
    const kinds = [
      ...[0, 1, 2].map((level) => ["OUTLINE", 0, level]),
      ...[0, 1].map((level) => ["NUMBER", 2, level]),
      ["BULLET", 1, 0],
      ["NONE", 0, 0],
    ];
    const properties = kinds.map(
      ([type, id, level], i) =>
        `<hh:paraPr id="${i}"><hh:heading type="${type}" idRef="${id}" level="${level}"/></hh:paraPr>`,
    );
    const header = `<hh:head><hh:numbering id="1">${outline}</hh:numbering><hh:numbering id="2">${series}</hh:numbering>${properties.join("")}</hh:head>`;
    const lines: [outline: number, said: string][] = [
      [1, "(목적)"],
      [2, "이 규칙은 휴가를 정한다."],
      [3, "연차"],
      [4, "본인"],
      [3, "병가"],
      [4, "가족"],
      [2, "수습도 같다."],
      [5, "점"],
      [6, "번호 없음"],
      [1, "(휴직)"],
      [2, "1년까지로 한다."],
      [0, "휴가"],
      [1, "(연차)"],
    ];
    const section = `<hp:secPr outlineShapeIDRef="1"/>${text("총칙")}`;
    const body = lines.map(([outline, said]) => paragraph(text(said), { outline })).join("");
    const { blocks } = await parseHancom(makeHwpx([paragraph(section) + body], { "Contents/header.xml": header }));
    expect(blocks.map(({ text }) => text)).toEqual([
      ...["제1장 총칙", "제1조 (목적)", "① 이 규칙은 휴가를 정한다."],
      ...["가. 연차", "가.1) 본인", "나. 병가", "나.1) 가족", "② 수습도 같다.", "- 점", "번호 없음"],
      ...["제2조 (휴직)", "① 1년까지로 한다.", "제2장 휴가", "제1조 (연차)"],
    ]);
  });

  test("a paragraph is one text, over its runs, tabs, breaks and deleted words", async () => {
    const runs = `${text("연차는<hp:tab/>15일")}</hp:run><hp:run>${text("이다<hp:nbSpace/>.<hp:lineBreak/>다음 줄 <hp:deleteBegin/>지운 말<hp:deleteEnd/>남은 말")}`;
    expect(await blocksOf(paragraph(runs))).toEqual([{ kind: "text", text: "연차는 15일이다 .\n다음 줄 남은 말" }]);
  });

  test("tables stand where they are, merged cells in each place, tables inside cells too; one cell is a box of text", async () => {
    const inner = paragraph(table([cell(said("안1")), cell(said("안2"))]));
    expect(
      await blocksOf(
        paragraph(
          text("앞") +
            table(
              [cell(said("구분"), { columns: 2 }), cell(said("일수"))],
              [cell(said("연차"), { rows: 2 }), cell(said("1년") + said("이상")), cell(said("15일"))],
              [cell(said("3년 이상")), cell(inner)],
            ) +
            text("뒤"),
        ) + paragraph(table([cell(paragraph(text("상자 제목"), { outline: 1 }) + said("첫 줄") + said("둘째 줄"))])),
      ),
    ).toEqual([
      { kind: "text", text: "앞" },
      { kind: "table", text: "구분 | 구분 | 일수\n연차 | 1년 이상 | 15일\n연차 | 3년 이상 | 안1 안2" },
      { kind: "text", text: "뒤" },
      { kind: "heading", depth: 1, text: "상자 제목" },
      { kind: "text", text: "첫 줄" },
      { kind: "text", text: "둘째 줄" },
    ]);
  });

  test("a table whose cells before others have a background is a form", async () => {
    const header = `<hh:head><hh:borderFill id="1"><hc:winBrush faceColor="none"/></hh:borderFill><hh:borderFill id="2"><hc:winBrush faceColor="#E5E5E5"/></hh:borderFill></hh:head>`;
    const filled = (content: string, fill: number) =>
      cell(said(content)).replace("<hp:tc>", `<hp:tc borderFillIDRef="${fill}">`);
    const form = table(
      [filled("성명", 2), filled("홍길동", 1), filled("부서", 2), filled("인사팀", 1)],
      [filled("직급", 2), filled("대리", 1), filled("전화", 2), filled("02-1", 1)],
    );
    const { blocks } = await parseHancom(makeHwpx([paragraph(form)], { "Contents/header.xml": header }));
    expect(blocks).toEqual([{ kind: "list", text: "- 성명: 홍길동\n- 부서: 인사팀\n- 직급: 대리\n- 전화: 02-1" }]);
  });

  test("notes come after their paragraph, text boxes in their place; page headers, memos and fields' settings do not come", async () => {
    const note = `<hp:ctrl><hp:footNote><hp:subList>${said("각주의 글")}</hp:subList></hp:footNote></hp:ctrl>`;
    const header = `<hp:ctrl><hp:header><hp:subList>${said("대외비")}</hp:subList></hp:header></hp:ctrl>`;
    const memo = `<hp:ctrl><hp:fieldBegin type="MEMO"><hp:subList>${said("메모")}</hp:subList></hp:fieldBegin></hp:ctrl>`;
    const box = `<hp:rect><hp:drawText><hp:subList>${said("글상자")}</hp:subList></hp:drawText></hp:rect>`;
    const formula = "<hp:equation><hp:script>a over b</hp:script></hp:equation>";
    expect(
      await blocksOf(paragraph(header + text("본문") + note + memo + text(" 이어짐")) + paragraph(box + formula)),
    ).toEqual([
      { kind: "text", text: "본문 이어짐" },
      { kind: "text", text: "각주의 글" },
      { kind: "text", text: "글상자" },
      { kind: "text", text: "a over b" },
    ]);
  });

  test("several chapters are headings, the first of which is not the document's title; the only one is", async () => {
    const chapter = (name: string) => paragraph(text(name), { outline: 1 });
    const headings = async (body: string) =>
      (await blocksOf(body)).flatMap((block) => (block.kind === "heading" ? [[block.depth, block.text]] : []));
    const article = paragraph(text("제1조(목적)"), { outline: 2 });
    expect(await headings(chapter("제1장 총칙") + article + chapter("제2장 휴가"))).toEqual([
      [2, "제1장 총칙"],
      [3, "제1조(목적)"],
      [2, "제2장 휴가"],
    ]);
    expect(await headings(chapter("휴가 규정") + article)).toEqual([
      [1, "휴가 규정"],
      [2, "제1조(목적)"],
    ]);
  });

  test("a field says what was written in it, not what to write; a button its caption", async () => {
    const prompt = "이름을 쓰십시오";
    const command = `<hp:stringParam name="Command">Clickhere:set:48:Direction:wstring:8:${prompt} HelpState:wstring:0:</hp:stringParam>`;
    const direction = `<hp:stringParam name="Command">Clickhere:</hp:stringParam><hp:stringParam name="Direction">${prompt}</hp:stringParam>`;
    const field = (said: string, parameters = direction) =>
      `<hp:ctrl><hp:fieldBegin type="CLICK_HERE"><hp:parameters>${parameters}</hp:parameters></hp:fieldBegin></hp:ctrl>${text(said)}<hp:ctrl><hp:fieldEnd/></hp:ctrl>`;
    const buttons =
      '<hp:checkBtn caption="동의함" value="CHECKED"/><hp:radioBtn caption="A &amp; B" value="UNCHECKED"/>';
    expect(
      await blocksOf(
        paragraph(text("성명 ") + field(prompt) + text("끝")) +
          paragraph(text("직함") + field(prompt, command)) +
          paragraph(field("홍길동")) +
          said(prompt) +
          paragraph(buttons),
      ),
    ).toEqual([
      { kind: "text", text: "성명 끝" },
      { kind: "text", text: "직함" },
      { kind: "text", text: "홍길동" },
      { kind: "text", text: prompt },
      { kind: "text", text: "☑ 동의함 ☐ A & B" },
    ]);
  });

  test("a prompt is told in its entities, runs and breaks; what says more than it stays", async () => {
    const prompt = "A &amp; B의 이름을 쓰십시오";
    const begin = `<hp:ctrl><hp:fieldBegin type="CLICK_HERE"><hp:parameters><hp:stringParam name="Direction">${prompt}</hp:stringParam></hp:parameters></hp:fieldBegin></hp:ctrl>`;
    const field = (said: string) => `${begin}${said}<hp:ctrl><hp:fieldEnd/></hp:ctrl>`;
    const link = `<hp:ctrl><hp:fieldBegin type="HYPERLINK"/></hp:ctrl>${text("이름을")}<hp:ctrl><hp:fieldEnd/></hp:ctrl>`;
    expect(
      await blocksOf(
        paragraph(text("성명 ") + field(text(prompt)) + text("끝")) +
          paragraph(text("두 조각") + field(`${text("A &amp; B의 이름을 ")}</hp:run><hp:run>${text("쓰십시오")}`)) +
          paragraph(text("줄") + field(text("A &amp; B의<hp:lineBreak/>이름을 쓰십시오"))) +
          paragraph(text("고리") + field(text("A &amp; B의 ") + link + text(" 쓰십시오"))) +
          paragraph(field(text(`${prompt} 홍길동`))) +
          paragraph(text("링크") + link.replace("이름을", " ") + text("뒤")) +
          paragraph(text("안 끝남 ") + begin + text(prompt)) +
          paragraph(
            `${text("다음<hp:constructor/> 줄")}<hp:ctrl><hp:fieldEnd/></hp:ctrl><hp:ctrl><hp:fieldEnd/></hp:ctrl>`,
          ),
      ),
    ).toEqual(
      [
        "성명 끝",
        "두 조각",
        "줄",
        "고리",
        "A & B의 이름을 쓰십시오 홍길동",
        "링크 뒤",
        "안 끝남 A & B의 이름을 쓰십시오",
        "다음 줄",
      ].map((text) => ({ kind: "text", text })),
    );
  });

  test("sections are read in their order, also the eleventh; the document's own title counts", async () => {
    const sections = Array.from({ length: 12 }, (_, i) => said(`구역 ${i}`));
    const title = "<opf:package><opf:metadata><opf:title>인사 규정</opf:title></opf:metadata></opf:package>";
    const parsed = await parseHancom(makeHwpx(sections, { "Contents/content.hpf": title }));
    expect(parsed.blocks.map((block) => block.text)).toEqual(sections.map((_, i) => `구역 ${i}`));
    expect(parsed.title).toBe("인사 규정");
  });

  test.each([
    ["encrypted", makeHwpx([], { "META-INF/manifest.xml": "<odf:encryption-data/>" }), /^is encrypted: save it/],
    ["another archive", makeDocx("<w:p/>"), /^is damaged, or no document of Hancom Office/],
    ["cut off", makeHwpx([said("x")]).subarray(0, 200), /^is cut off or damaged/],
    ["a bomb", makeZip({ "Contents/section0.xml": Buffer.alloc(65_000_000, 32) }), /^unpacks to more than 64 MB/],
  ])("%s: refused with the reason", async (_, bytes, reason) => {
    await expect(parseHancom(bytes)).rejects.toMatchObject({
      code: "request_invalid",
      message: expect.stringMatching(reason),
    });
  });

  test("elements that never end, and text without any, break nothing", async () => {
    const deep = await blocksOf("<hp:p><hp:run><hp:tbl><hp:tr><hp:tc>".repeat(190) + text("깊은 글"));
    expect(deep).toEqual([{ kind: "table", text: "깊은 글" }]);
    expect(await blocksOf("글자만</hp:p></hp:tbl></hp:tc>")).toEqual([]);
  });
});

describe("HWP", () => {
  afterEach(() => vi.restoreAllMocks());

  const BLOCKS = [
    { kind: "heading", depth: 1, text: "1. 제1장 휴가" },
    { kind: "text", text: "연차 휴가는 1년에 15일이다." },
    { kind: "heading", depth: 2, text: "가. 제2조 이월" },
    { kind: "text", text: "남은 연차는 3월까지 쓴다." },
    { kind: "table", text: "근속 | 일수\n1년 이상 | 15일\n3년 이상 | 16일" },
  ];

  test("its headings, text and tables are read", async () => {
    expect((await parseHancom(makeHwp())).blocks).toEqual(BLOCKS);
  });

  test.each([
    ["a password", () => makeHwp("secret"), /^is encrypted: save it/],
    ["cut off", () => makeHwp().subarray(0, 3000), /^is damaged, locked by .* or no HWP document$/],
    ["something else", () => Buffer.from("%PDF-1.7"), /^is damaged, locked by .* or no HWP document$/],
    ["nothing", () => Buffer.alloc(0), /^is damaged, locked by .* or no HWP document$/],
  ])("%s: refused with the reason, and the next is read", async (_, bytes, reason) => {
    await expect(parseHancom(bytes())).rejects.toMatchObject({
      code: "request_invalid",
      message: expect.stringMatching(reason),
    });
    expect((await parseHancom(makeHwp())).blocks).toEqual(BLOCKS);
  });

  test("a document that traps while it is written is refused, and the next is read by another instance", async () => {
    const hwp = makeHwp();
    const nested = `${"<table><tr><td>".repeat(600)}글${"</td></tr></table>".repeat(600)}`;
    const written = vi.spyOn(HwpDocument.prototype, "exportHwpx").mockImplementation(function (this: HwpDocument) {
      this.pasteHtml(0, 0, 0, nested);
      return this.exportHwp();
    });
    await expect(parseHancom(hwp)).rejects.toMatchObject({
      code: "request_invalid",
      message: expect.stringMatching(/^is damaged, locked by .* or no HWP document$/),
      cause: { name: "RuntimeError" },
    });
    expect((await parseHancom(hwp)).blocks).toEqual(BLOCKS);
    expect(written).toHaveBeenCalledTimes(1);
    // A document that nobody freed would be now, and throw where nobody catches it.
    written.mockClear();
    setFlagsFromString("--expose-gc");
    runInNewContext("gc")();
    await new Promise((resolve) => setTimeout(resolve, 100));
  });
});
