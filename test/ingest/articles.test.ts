import { expect, test } from "vitest";
import { withArticles } from "../../src/ingest/articles.ts";
import { readDocument } from "../../src/ingest/document.ts";

const heading = (text: string, depth: number) => ({ kind: "heading", depth, text }) as const;
const text = (said: string) => ({ kind: "text", text: said }) as const;

test("articles and their chapters become headings, in one text or in several", () => {
  const blocks = [
    heading("취업규칙", 1),
    text("제1장 총칙"),
    text('제1조(목적) 이 규칙은 근로조건을 정한다.\n제2조 (정의) ① "직원"이란\n  1. 정규직\n  2. 계약직을 말한다.'),
    text("제2장 휴가 제도\n제 15 조의2【연차 휴가】\n① 15일을 준다.\n제15조에 따른 휴가는 따로 쓴다."),
    text("부칙 <2026. 3. 1.>\n제1조(시행일) 3월 1일부터 시행한다."),
  ];
  expect(withArticles(blocks)).toEqual([
    heading("취업규칙", 1),
    heading("제1장 총칙", 3),
    heading("제1조(목적)", 6),
    text("이 규칙은 근로조건을 정한다."),
    heading("제2조(정의)", 6),
    text('① "직원"이란\n  1. 정규직\n  2. 계약직을 말한다.'),
    heading("제2장 휴가 제도", 3),
    heading("제 15 조의2【연차 휴가】", 6),
    text("① 15일을 준다.\n제15조에 따른 휴가는 따로 쓴다."),
    heading("부칙 <2026. 3. 1.>", 2),
    heading("제1조(시행일)", 6),
    text("3월 1일부터 시행한다."),
  ]);
});

test.each([
  ["부  칙", "부칙"],
  ["부     칙(2026. 3. 1.)", "부칙(2026. 3. 1.)"],
  ["[별표 1] 직급별  정년", "[별표 1] 직급별 정년"],
  ["■ 취업규칙 [별표 2의3] <개정 2026. 3. 1.>", "■ 취업규칙 [별표 2의3] <개정 2026. 3. 1.>"],
  ["별표 2 여비", "별표 2 여비"],
  ["[별지 제1호서식] 휴가 신청서", "[별지 제1호서식] 휴가 신청서"],
])("what stands behind the articles is of none of them: %j", (line, above) => {
  const source = `제1편 본문\n제1장 총칙\n제1조(목적) 가\n제2조(정의) 나\n제3조(적용) 다\n${line}\n라`;
  expect(withArticles([text(source)]).slice(-2)).toEqual([heading(above, 1), text("라")]);
});

test("letters that are spaced to look well are words, and digits may be as wide as these", () => {
  const source =
    "제１장 총   칙\n제 １ 조 (목 적) 가\n제2조(용어의 정의) 나\n제 2 조 의 2【휴 가】 다\n제 ２ 장   복 무";
  expect(withArticles([text(source)]).filter(({ kind }) => kind === "heading")).toEqual([
    heading("제１장 총칙", 2),
    heading("제 １ 조(목적)", 5),
    heading("제2조(용어의 정의)", 5),
    heading("제 2 조 의 2【휴가】", 5),
    heading("제 ２ 장 복무", 2),
  ]);
});

test.each(["제9조(휴가)를 준용한다", "제9조(휴가) 및 제8조(휴직)", "제9조(휴가)제2항에 따른 날", "제9조(휴가)에 따라"])(
  "an article that is mentioned at the beginning of a line begins none: %j",
  (line) => {
    const source = `제1조(목적)이 규칙은 가\n제2조(정의) 나\n제3조(적용)① 다\n${line}`;
    expect(withArticles([text(source)]).at(-1)).toEqual(text(`① 다\n${line}`));
  },
);

test.each([" ········ 1", " . . . . . 12", "\t3", "      4", "…… 5"])(
  "a table of contents begins nothing: %j",
  (page) => {
    const contents = ["제1장 총칙", "제1조(목적)", "제2조(정의)", "제3조(적용)", "부칙"]
      .map((entry) => entry + page)
      .join("\n");
    const articles = "제1장 총칙\n제1조(목적) 가\n제2조(정의) 나\n제3조(적용) 다";
    const [first, second] = withArticles([text(contents), text(articles)]);
    expect([first, second]).toEqual([text(contents), heading("제1장 총칙", 2)]);
  },
);

test("an article that is deleted is none of the one before", () => {
  const source = "제1조(목적) 가\n제2조 삭제 <2026. 3. 1.>\n제2조의2 <삭제>\n제3조(정의) 나\n제4조(적용) 다";
  expect(withArticles([text(source)]).slice(2, 6)).toEqual([
    heading("제2조", 5),
    text("삭제 <2026. 3. 1.>"),
    heading("제2조의2", 5),
    text("<삭제>"),
  ]);
});

test.each(["별표 1의 기준은 다음과 같다", "별표 1에 따른다", "[별표 1]과 같이 정한 때", "부칙에서 정한 날"])(
  "no heading: %j",
  (line) => {
    const source = `제1조(목적) 가\n제2조(정의) 나\n제3조(적용) 다\n${line}\n라`;
    expect(withArticles([text(source)]).at(-1)).toEqual(text(`다\n${line}\n라`));
  },
);

test("articles without captions in brackets count from 1", () => {
  const source =
    "제1조 목적\n이 계약은 용역을 정한다.\n제2조 갑은 을에게 대금을 준다.\n제3조 제2조의 대금은\n제2조 단서에 따른다.";
  const blocks = [text(source), text("제 4 조  비밀 유지\n지킨다.\n부칙\n제1조 시행일\n3월"), text("제2조 경과 조치")];
  expect(withArticles(blocks)).toEqual([
    heading("제1조 목적", 5),
    text("이 계약은 용역을 정한다."),
    heading("제2조", 5),
    text("갑은 을에게 대금을 준다."),
    heading("제3조", 5),
    text("제2조의 대금은\n제2조 단서에 따른다."),
    heading("제 4 조 비밀 유지", 5),
    text("지킨다."),
    heading("부칙", 1),
    heading("제1조 시행일", 5),
    text("3월"),
    heading("제2조 경과 조치", 5),
  ]);
  const mentions = [text("제1조 제2항에 따라 정한다."), text("제3조 및 제4조"), text("제2조 본문")];
  expect(withArticles(mentions)).toEqual(mentions);
});

test("a document that only speaks of articles stays as it is, and so do sentences, lists, tables and code", () => {
  const speaking = [text("제60조(연차 유급휴가)는 연차를 정한다."), text("제61조(사용 촉진)도 본다.")];
  expect(withArticles(speaking)).toEqual(speaking);
  const articles = ["제1조(목적) a", "제2조(정의) b", "제3조(적용) c"].map(text);
  const others = [
    text("제3장의 규정은 따로 정한다"),
    text("제3장 휴가의 규정은 따로 정한다."),
    text(`제3장 ${"가".repeat(60)}`),
    { kind: "list", text: "- 제9조(목적) d" },
    { kind: "table", text: "제9조(목적) | d" },
    { kind: "code", text: "제9조(목적) d" },
  ] as const;
  expect(withArticles([...articles, ...others]).slice(-6)).toEqual(others);
});

test("pages are kept: where an article begins, and where its text goes on", () => {
  const said = "제1조(목적) 가나다\n제2조(정의) 라마바 사아자\n제3조(적용) 차카타";
  const pageBreaks = [
    { page: 3, at: said.indexOf("사아자") },
    { page: 4, at: said.indexOf("제3조") },
  ];
  expect(withArticles([{ kind: "text", text: said, page: 2, pageBreaks }])).toEqual([
    { ...heading("제1조(목적)", 5), page: 2 },
    { ...text("가나다"), page: 2 },
    { ...heading("제2조(정의)", 5), page: 2 },
    { ...text("라마바 사아자"), page: 2, pageBreaks: [{ page: 3, at: 4 }] },
    { ...heading("제3조(적용)", 5), page: 4 },
    { ...text("차카타"), page: 4 },
  ]);
});

test("an article is nobody's title; nothing of the text is lost", () => {
  const source = "제1장 총칙\n\n제1조(목적) 가\n\n제2조(정의)\n\n제3조(적용) 나";
  const { title, blocks } = readDocument({ id: "규정", text: source, format: "text" });
  expect(title).toBe("규정");
  expect(blocks.map((block) => block.text).join(" ")).toBe(source.replace(/\s+/g, " "));
});

test("a text of a million line ends, or of beginnings alone, takes milliseconds", () => {
  for (const hostile of [
    "\n".repeat(1_000_000),
    "제1조(".repeat(200_000),
    "제 1 조 (a)\n".repeat(100_000),
    " ".repeat(1_000_000),
  ]) {
    const began = performance.now();
    withArticles([text(hostile)]);
    expect(performance.now() - began).toBeLessThan(2000);
  }
});
