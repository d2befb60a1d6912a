import { describe, expect, test } from "vitest";
import { readDocument } from "../../src/ingest/load.ts";

const read = (text: string) => readDocument({ id: "page.html", text, format: "html" });

describe("HTML", () => {
  test("headings, paragraphs, lists, tables and code become blocks; scripts, styles and navigation go", () => {
    const document =
      read(`<!doctype html><html><head><title>회사 소개 - 우리 회사</title><style>p{}</style></head><body>
      <nav><ul><li>메뉴</li></ul></nav><header>머리말</header>
      <h1>회사 소개</h1><p>첫 <b>문단</b>
      둘째 줄<br>셋째 &amp; 끝</p>맨몸 글
      <h2>복지 <small>2026</small></h2><ul><li>하나<li>둘<ol><li>둘의 하나</li></ol></ul>
      <table><thead><tr><th>구분<th>금액</tr></thead><tr><td>식비<td>1,000<tr><td>교통비</td><td><p>2,000</p></td></tr></table>
      <pre>  if (x) {\n    y();\n  }\n</pre><template>숨김</template><script>alert("숨김")</script></body></html>`);
    expect(document.title).toBe("회사 소개");
    expect(document.blocks).toEqual([
      { kind: "text", text: "머리말" },
      { kind: "text", text: "첫 문단 둘째 줄\n셋째 & 끝" },
      { kind: "text", text: "맨몸 글" },
      { kind: "heading", depth: 2, text: "복지 2026" },
      { kind: "list", text: "- 하나\n- 둘\n  1. 둘의 하나" },
      { kind: "table", text: "구분 | 금액\n식비 | 1,000\n교통비 | 2,000" },
      { kind: "code", text: "  if (x) {\n    y();\n  }" },
    ]);
  });

  test("<title> is the title where there is no h1", () => {
    const document = read("<title>휴가  규정</title><h2>연차</h2><p>15일</p>");
    expect(document.title).toBe("휴가 규정");
    expect(document.blocks).toHaveLength(2);
  });

  test("a fragment without tags is text; broken tags lose no words", () => {
    expect(read("그냥 글").blocks).toEqual([{ kind: "text", text: "그냥 글" }]);
    const words = read("<h2>하나<p>둘<table><tr><td>셋<ul><li>넷</div></span>다섯<div>여섯")
      .blocks.map((block) => block.text)
      .join(" ");
    for (const word of ["하나", "둘", "셋", "넷", "다섯", "여섯"]) expect(words).toContain(word);
  });

  test("a title inside a picture is not the page's", () => {
    expect(read("<svg><title>icon</title></svg><p>글</p>").title).toBe("page.html");
  });
});
