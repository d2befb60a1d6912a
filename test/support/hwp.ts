import { readFileSync } from "node:fs";
import { HwpDocument, initSync } from "@rhwp/core";
import { makeZip } from "./zip.ts";

const NAMESPACES = ["head", "paragraph", "section", "core"]
  .map((name) => `xmlns:h${name[0]}="http://www.hancom.co.kr/hwpml/2011/${name}"`)
  .join(" ");

/** Styles 0 (text), 1 and 2 (headings by name), paragraphs 0 (text), 1 and 2 (of an outline). */
const HEADER = `<hh:head ${NAMESPACES} version="1.4" secCnt="1"><hh:refList><hh:paraProperties itemCnt="3">
<hh:paraPr id="0"><hh:heading type="NONE" idRef="0" level="0"/></hh:paraPr>
<hh:paraPr id="1"><hh:heading type="OUTLINE" idRef="0" level="0"/></hh:paraPr>
<hh:paraPr id="2"><hh:heading type="OUTLINE" idRef="0" level="1"/></hh:paraPr>
</hh:paraProperties><hh:styles itemCnt="3">
<hh:style id="0" type="PARA" name="바탕글" engName="Normal"/><hh:style id="1" type="PARA" name="제목" engName=""/>
<hh:style id="2" type="PARA" name="나의 소제목" engName="Heading 2"/></hh:styles></hh:refList></hh:head>`;

export function paragraph(content: string, { style = 0, outline = 0 } = {}): string {
  return `<hp:p paraPrIDRef="${outline}" styleIDRef="${style}"><hp:run charPrIDRef="0">${content}</hp:run></hp:p>`;
}

export function text(content: string): string {
  return `<hp:t>${content}</hp:t>`;
}

/** A Hancom document with these sections' XML. */
export function makeHwpx(sections: readonly string[], more: Readonly<Record<string, string>> = {}): Buffer {
  const parts = sections.map((body, i) => [
    `Contents/section${i}.xml`,
    `<?xml version="1.0" encoding="UTF-8"?><hs:sec ${NAMESPACES}>${body}</hs:sec>`,
  ]);
  return makeZip({
    mimetype: "application/hwp+zip",
    ...Object.fromEntries(parts.toReversed()),
    "Contents/header.xml": HEADER,
    ...more,
  });
}

let isReady = false;

/** A document of Hancom Office 2010 and later (HWP 5), with lines under headings, and a table of which cells are merged. */
export function makeHwp(password?: string): Uint8Array {
  if (!isReady) initSync({ module: readFileSync(new URL("rhwp_bg.wasm", import.meta.resolve("@rhwp/core"))) });
  isReady = true;
  using document = HwpDocument.createEmpty();
  document.createBlankDocument();
  const lines = [
    ["제1장 휴가", 2],
    ["연차 휴가는 1년에 15일이다.", 0],
    ["제2조 이월", 3],
    ["남은 연차는 3월까지 쓴다.", 0],
  ] as const;
  for (const [at, [line, style]] of lines.entries()) {
    if (at > 0) document.insertParagraph(0, at);
    document.insertText(0, at, 0, line);
    document.applyStyle(0, at, style);
  }
  const at = lines.length;
  document.insertParagraph(0, at);
  document.applyStyle(0, at, 0);
  document.createTable(0, at, 0, 3, 2);
  for (const [cell, said] of ["근속", "일수", "1년 이상", "15일", "3년 이상", "16일"].entries()) {
    document.insertTextInCell(0, at, 0, cell, 0, 0, said);
  }
  return password === undefined ? document.exportHwp() : document.exportHwpWithPassword(password);
}
