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

  const tables = (...rows: string[]) =>
    read(`<table>${rows.map((row) => `<tr>${row}</tr>`).join("")}</table>`).blocks.map(({ text }) => text);

  test("a table in a cell is text of that cell, and its spans are its own", () => {
    const inner = "<table><tr><td rowspan=3>숙박<td colspan=4>식비</table>";
    expect(tables("<td>구분<td>내용<td>금액", `<td>국내<td>${inner}<td>10`, "<td>해외<td>항공<td>20")[0]).toMatch(
      /\n해외 \| 항공 \| 20$/,
    );
  });

  test("merged cells stand in every row and column that they span, what is beside them under its own header", () => {
    expect(
      tables(
        "<th>구분<th>사유<th>휴가<th>경조금",
        "<td rowspan=2>결혼<td>본인<td>5일<td>100만원",
        "<td>자녀<td>1일<td>50만원",
        "<td rowspan=9>사망<td>배우자<td colspan=2>따로 정한다",
        "<td>조부모<td>3일<td>30만원",
      ),
    ).toEqual([
      "구분 | 사유 | 휴가 | 경조금\n결혼 | 본인 | 5일 | 100만원\n결혼 | 자녀 | 1일 | 50만원\n" +
        "사망 | 배우자 | 따로 정한다 | 따로 정한다\n사망 | 조부모 | 3일 | 30만원",
    ]);
    expect(
      tables("<td>이름<td colspan=3>값", "<td>가<td colspan=3>1", `<td>나<td colspan=3>${"긴 글 ".repeat(50)}`),
    ).toEqual([`이름 | 값\n가 | 1\n나 | ${"긴 글 ".repeat(50).trim()}`]);
  });

  test.each(["th", "td"])("a header of two rows of %s becomes one", (cell) => {
    expect(
      tables(
        `<${cell} rowspan=2>지역<${cell} colspan=2>숙박비 상한<${cell} rowspan=2>일비`,
        `<${cell}>서울<${cell}>지방`,
        "<td>임원<td>15만 원<td>12만 원<td>5만 원",
      ),
    ).toEqual(["지역 | 숙박비 상한 서울 | 숙박비 상한 지방 | 일비\n임원 | 15만 원 | 12만 원 | 5만 원"]);
  });

  test("a form, with a header cell before each other one, is a list of what they say", () => {
    const { blocks } = read(
      `<table><tr><th>회사명<td>한빛전자<th>대표<td>김한빛<tr><th>주소<td colspan=3>${"서울 ".repeat(60)}<tr><th rowspan=2>연락처<th>전화<td>02-123-4567` +
        "<th>내선<td><tr><th>팩스<td>02-123-4568<th>비고<td>없음<tr><td colspan=4>※ 끝</table>",
    );
    expect(blocks).toEqual([
      {
        kind: "list",
        text:
          `- 회사명: 한빛전자\n- 대표: 김한빛\n- 주소: ${"서울 ".repeat(60).trim()}\n` +
          "- 연락처 전화: 02-123-4567\n- 연락처 팩스: 02-123-4568\n- 비고: 없음\n※ 끝",
      },
    ]);
  });

  test.each([
    ["10<sup>2</sup>㎡, 3<sup>1)</sup>, m<sup>2</sup>, 15<sup><a>2</a></sup>", "10^2㎡, 3^1), m2, 15^2"],
    ["<del>5일</del><ins>7일</ins>이고 <s>9일</s>", "~~5일~~7일이고 ~~9일~~"],
  ])("numbers stay what they are, and struck-out text stays marked: %s", (html, text) => {
    expect(read(`<p>${html}</p>`).blocks).toEqual([{ kind: "text", text }]);
  });

  test("numbered lists are numbered as they are shown", () => {
    expect(read("<ol start=3><li>셋<li value=7>일곱<li>여덟<ol><li>하나</ol></ol>").blocks).toEqual([
      { kind: "list", text: "3. 셋\n7. 일곱\n8. 여덟\n  1. 하나" },
    ]);
  });

  test("elements within a word do not part it, blocks in a cell or an entry do", () => {
    expect(
      tables("<td>연차<b>휴가</b>는<td><p>15<b>일</b></p><p>이상</p>", "<td>가<br>나<td><ul><li>다<li>라</ul>"),
    ).toEqual(["연차휴가는 | 15일 이상\n가 나 | 다 라"]);
    expect(read("<ul><li><h3>제목</h3>글<li>가<pre>code</pre>나</ul>").blocks).toEqual([
      { kind: "list", text: "- 제목 글\n- 가 code 나" },
    ]);
  });

  test("a button is left out, but not the question that opens its answer", () => {
    const faq = (question: string) => read(`<div>${question}<div>답이다.</div><button>닫기</button></div>`).blocks;
    const both = [
      { kind: "heading", depth: 3, text: "질문인가요?" },
      { kind: "text", text: "답이다." },
    ];
    expect(faq("<h3><button>질문인가요?</button></h3>")).toEqual(both);
    expect(faq("<button><svg><path/></svg><h3>질문인가요?</h3></button>")).toEqual(both);
  });

  test("a header cell before several others is a row's name", () => {
    expect(tables("<th>구분<td>1월<td>2월", "<th>매출<td>100<td>120")).toEqual(["구분 | 1월 | 2월\n매출 | 100 | 120"]);
  });

  test("a row of one cell is text between two tables, both with the header", () => {
    expect(
      tables(
        "<th>과정<th>지원율",
        "<th colspan=2>첫째",
        "<td>가<td>1",
        "<th colspan=2>둘째",
        "<td>나<td>2",
        "<td colspan=9>※ 끝",
      ),
    ).toEqual(["첫째", "과정 | 지원율\n가 | 1", "둘째", "과정 | 지원율\n나 | 2", "※ 끝"]);
    expect(read("<table><caption>표 1<tr><td>가<td>나<tr><td>1<td>2</table>").blocks.map(({ text }) => text)).toEqual([
      "표 1",
      "가 | 나\n1 | 2",
    ]);
    expect(tables("<td>하나", "<td>둘")).toEqual(["하나\n둘"]);
  });

  test("a table in a list is a table", () => {
    const { blocks } = read("<ul><li>하나<table><tr><td>가<td>나<tr><td>1<td>2</table><li>둘</ul><p>셋");
    expect(blocks).toEqual([
      { kind: "list", text: "- 하나" },
      { kind: "table", text: "가 | 나\n1 | 2" },
      { kind: "list", text: "- 둘" },
      { kind: "text", text: "셋" },
    ]);
  });

  test.each([
    ["columns", "<tr><td>a<td colspan=1000>b<td>c".repeat(3_000)],
    ["rows", `<tr>${"<td rowspan=65534>a".repeat(3_000)}${"<tr><td>b".repeat(3_000)}`],
    ["rows of long cells", `<tr>${`<td rowspan=0>${"a".repeat(100)}`.repeat(500)}${"<tr><td>b".repeat(5_000)}`],
    ["rows far to the right", `<tr>${"<td>a".repeat(3_000)}<td rowspan=65534>a${"<tr><td>b<td>c".repeat(3_000)}`],
    ["headers", `<tr>${"<td>a".repeat(3_000)}${"<tr><td>b<tr><td>c<td>d".repeat(3_000)}`],
  ])("repeating merged %s is bounded by the source", (_, rows) => {
    const { blocks } = read(`<table>${rows}</table>`);
    expect(blocks.reduce((length, { text }) => length + text.length, 0)).toBeLessThan(rows.length * 2 + 200_000);
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
