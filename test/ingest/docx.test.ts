import { CommentReference, Document, FootnoteReferenceRun, HeadingLevel, Packer, Paragraph, TextRun } from "docx";
import { expect, test } from "vitest";
import { parseDocx } from "../../src/ingest/docx.ts";

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

test("notes come last, without a way back; comments do not come", async () => {
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
    { kind: "text", text: "연차는 15일이다.[1]" },
    { kind: "list", text: "1. 근로기준법 제60조" },
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
