import { describe, expect, test } from "vitest";
import { readDocument } from "../../src/ingest/load.ts";
import { cpuMs } from "../support/cpu.ts";

const read = (text: string) => readDocument({ id: "doc.md", text, format: "markdown" });
const blocks = (text: string) => read(text).blocks;

describe("Markdown", () => {
  test("front matter gives title, url, groups and metadata; dates are ISO strings", () => {
    const document = read(
      "---\ntitle: 퇴직금 안내\nurl: https://example.com/a\ngroups: [hr, legal]\ndate: 2026-03-01\nversion: 3\ndraft: false\ntags: [급여, 퇴직]\nauthor:\n  name: nested\nempty:\n---\n# 제목\n\n본문",
    );
    expect(document.title).toBe("퇴직금 안내");
    expect(document.url).toBe("https://example.com/a");
    expect(document.groups).toEqual(["hr", "legal"]);
    expect(document.metadata).toEqual({ date: "2026-03-01", version: 3, draft: false, tags: ["급여", "퇴직"] });
    expect(document.blocks).toEqual([
      { kind: "heading", depth: 1, text: "제목" },
      { kind: "text", text: "본문" },
    ]);
  });

  test("TOML front matter, as Hugo has it, gives the same", () => {
    const document = read(
      '+++\ntitle = "퇴직금 안내"\nurl = "https://example.com/a"\ngroups = ["hr", "legal"]\ndate = 2026-03-01\nat = 2026-03-01T09:00:00Z\nversion = 3\ndraft = false\ntags = ["급여", "퇴직"]\n[author]\nname = "nested"\n+++\n# 제목\n\n본문',
    );
    expect(document).toMatchObject({ title: "퇴직금 안내", url: "https://example.com/a", groups: ["hr", "legal"] });
    const at = "2026-03-01T09:00:00.000Z";
    expect(document.metadata).toEqual({ date: "2026-03-01", at, version: 3, draft: false, tags: ["급여", "퇴직"] });
    expect(document.blocks.at(-1)).toEqual({ kind: "text", text: "본문" });
    expect(() => read("+++\ntitle = 안내\n+++\n본문")).toThrow(
      /"doc\.md" has front matter that is not valid TOML: invalid value at line 1, column 9/,
    );
    expect(() => read(`+++\na = ${"[".repeat(2000)}\n+++\n본문`)).toThrow(/is not valid TOML/);
    expect(blocks("+++\n\n본문")).toEqual([
      { kind: "text", text: "+++" },
      { kind: "text", text: "본문" },
    ]);
  });

  test("the h1 that became the title is not a heading of its passages", () => {
    const document = read("# 휴가 규정 { #leave }\n\n소개\n\n## 연차\n\n15일");
    expect(document.title).toBe("휴가 규정");
    expect(document.blocks).toEqual([
      { kind: "text", text: "소개" },
      { kind: "heading", depth: 2, text: "연차" },
      { kind: "text", text: "15일" },
    ]);
  });

  test("one tilde is a range; two strike out, and what is struck out stays marked", () => {
    expect(blocks("평일 18:00~20:00, 주말 3~5일, ~~지운~~ 남은 ~30분")).toEqual([
      { kind: "text", text: "평일 18:00~20:00, 주말 3~5일, ~~지운~~ 남은 ~30분" },
    ]);
  });

  test("boxes and tabs of MkDocs, Docusaurus and others are text, with their titles", () => {
    const texts = (source: string) => blocks(source).map(({ kind, text }) => `${kind}: ${text}`);
    const titled = ["text: 주의", "text: 첫 줄", "text: 둘째"];
    expect(texts('!!! note "주의"\n    첫 줄\n\n    둘째\n\n뒤')).toEqual([...titled, "text: 뒤"]);
    expect(texts('???+ warning "주의"\n\n    첫 줄\n\n    둘째\n\n뒤')).toEqual([...titled, "text: 뒤"]);
    expect(texts("앞\n:::tip 주의\n첫 줄\n\n둘째\n:::\n뒤")).toEqual(["text: 앞", ...titled, "text: 뒤"]);
    expect(texts("::: warning [주의]\n첫 줄\n\n둘째\n:::")).toEqual(titled);
    expect(texts("/// note | 주의\n첫 줄\n\n둘째\n///")).toEqual(titled);
    expect(texts("::: danger\n위험\n:::\n\n/// tip\n팁\n///")).toEqual(["text: 위험", "text: 팁"]);
    const tabs =
      '=== "macOS"\n\n    ```sh\n    brew\n      x\n    ```\n\n    !!! tip\n        안쪽\n\n=== "Linux"\n\n    apt';
    expect(texts(tabs)).toEqual(["text: macOS", "code: brew\n  x", "text: 안쪽", "text: Linux", "text: apt"]);
    expect(texts("1. 하나\n\n   :::info\n   안\n   :::\n\n2. 둘")).toEqual(["list: 1. 하나\n   안\n2. 둘"]);
  });

  test("what looks like a box stays in code, and where nothing is indented below", () => {
    expect(blocks('```\n:::tip\n!!! note\n    x\n///\n```\n\n!!! note "주의"\n뒤')).toEqual([
      { kind: "code", text: ":::tip\n!!! note\n    x\n///" },
      { kind: "text", text: '!!! note "주의" 뒤' },
    ]);
    expect(blocks("제목\n===\n\n    code")).toEqual(
      [
        { kind: "heading", depth: 1, text: "제목" },
        { kind: "code", text: "code" },
      ].slice(1),
    );
  });

  test("tags in cells part words", () => {
    const table = "<table><tr><th>이름</th><td>형</td></tr></table>";
    expect(blocks(`a | b\n---|---\nx | <details><summary>칸</summary>${table}</details>`)).toEqual([
      { kind: "table", text: "a | b\nx | 칸 이름 형" },
    ]);
  });

  test("a rule at the top is not front matter", () => {
    expect(blocks("---\n\nJust prose\n\n---\n\nmore")).toEqual([
      { kind: "text", text: "Just prose" },
      { kind: "text", text: "more" },
    ]);
  });

  test.each([
    ["broken YAML", "---\ntitle: [unclosed\n---\ntext", /front matter that is not valid YAML/],
    ["broken YAML, and says where", '---\na: 1\nb: "c" d\n---\ntext', /Unexpected.* at line 2, column 8\.$/],
    ["groups that are not names", "---\ngroups: {a: 1}\n---\ntext", /groups that are not names/],
    [
      "an alias bomb",
      `---\na: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghi"
        .split("")
        .map((k, i) => `${k}: &${k} [${Array(9).fill(`*${"abcdefghi"[i]}`)}]`)
        .join("\n")}\n---\ntext`,
      /doc\.md/,
    ],
    ["no text", "# Only a title\n", /has no text/],
    ["white space only", " \n\n\t\n", /has no text/],
  ])("refuses %s, naming the document", (_, text, message) => {
    expect(() => read(text)).toThrow(message);
    expect(() => read(text)).toThrow(expect.objectContaining({ code: "request_invalid" }));
  });

  test("inline marks go, words stay", () => {
    expect(
      blocks(
        '**굵게** _기울임_ `code()` [링크](https://a.b/c "t") [ref][r] ![그림](x.png) a &amp; b &lt;T&gt; <b>c</b><br>d\nsoft\n\n[r]: https://x.y',
      ),
    ).toEqual([{ kind: "text", text: "굵게 기울임 code() 링크 ref 그림 a & b <T> c\nd soft" }]);
  });

  test.each([
    ["__연차__는 법정__휴가__다. __15일(연차)__을", "연차는 법정휴가다. 15일(연차)을"],
    ["__init__은 snake__case__다", "__init__은 snake__case__다"],
    ["==연차==는 a == b and c==d and e==f, =====", "연차는 a == b and c==d and e==f, ====="],
    ["**15일(연차)**을 준다. **10일(병가)**도.", "15일(연차)을 준다. 10일(병가)도."],
    ["**『근로기준법』**에 따라", "『근로기준법』에 따라"],
    ["회사는**(주)한빛**이다", "회사는(주)한빛이다"],
    ["*기울임(가)*이고 ***둘(다)***이다", "기울임(가)이고 둘(다)이다"],
    ["**`npm ci`(설치)**를 **[규정](a.md)(3조)**에서", "npm ci(설치)를 규정(3조)에서"],
    ["**東京(とうきょう)**に行く", "東京(とうきょう)に行く"],
    ["**열기만 (가)을 하고", "**열기만 (가)을 하고"],
    ["별 ** (가)**을 둔다", "별 ** (가)**을 둔다"],
    ["\\*\\*15일(연차)\\*\\*을", "**15일(연차)**을"],
    ["`**15일(연차)**을`", "**15일(연차)**을"],
    ["**a(b)**c", "**a(b)**c"],
  ])("emphasis beside a word that needs no space: %s", (markdown, text) => {
    expect(blocks(markdown)).toEqual([{ kind: "text", text }]);
  });

  test.each([
    ["[담당자]: 홍길동\n[전화]: 02-123-4567\n\n[비고]: 없음", "[담당자]: 홍길동 [전화]: 02-123-4567\n[비고]: 없음"],
    ["본문[^1]\n\n[^1]: 제외", "본문[^1]\n[^1]: 제외"],
    ["출처[^1]\n\n[^1]: https://a.b/c", "출처[^1]\n[^1]: https://a.b/c"],
    ["[메일]: hr@a.kr", "[메일]: hr@a.kr"],
    ["[글][1]과 [안][2]\n\n[1]: ../a.md\n[2]: #b", "글과 안"],
  ])("what looks like a reference and leads nowhere is text: %s", (markdown, text) => {
    expect(
      blocks(markdown)
        .map((block) => block.text)
        .join("\n"),
    ).toBe(text);
  });

  test.each([
    ["2024. 3. 1. 시행\n2024. 4. 1. 개정", "2024. 3. 1. 시행\n2024. 4. 1. 개정"],
    ["1. 가\n3. 다\n7. 사", "1. 가\n3. 다\n7. 사"],
    ["1. 가\n1. 나\n1. 다", "1. 가\n2. 나\n3. 다"],
    ["- [ ] 할 일\n- [x] 한 일", "- [ ] 할 일\n- [x] 한 일"],
  ])("a list's numbers and states are those that are written: %s", (markdown, text) => {
    expect(blocks(markdown)).toEqual([{ kind: "list", text }]);
  });

  test.each([
    ["[[휴가 규정]]과 [[휴가#연차|연차]], ![[그림.png]]", "휴가 규정과 연차, 그림.png"],
    ["[[1]](https://a.b) 그리고 if [[ -f a ]]", "[1] 그리고 if [[ -f a ]]"],
    ["시급 2*3*4와 10*20*30", "시급 2*3*4와 10*20*30"],
    ["> [!NOTE]\n> 주의할 것", "주의할 것"],
    ["> [!warning]- 제목\n> 내용", "제목 내용"],
  ])("links of wikis, products and alerts: %s", (markdown, text) => {
    expect(blocks(markdown)).toEqual([{ kind: "text", text }]);
  });

  test("words in lists within cells stay apart", () => {
    expect(blocks("| 가 | 나 |\n|---|---|\n| [[a\\|b]] | <ul><li>하나</li><li>둘</li></ul> |")).toEqual([
      { kind: "table", text: "가 | 나\nb | 하나 둘" },
    ]);
  });

  test("entries that Markdown does not know begin lines, other line ends are spaces", () => {
    expect(blocks("다음 각 호와\n같다.\n① 하나\n② 둘이고\n이어진다\n※ 참고\n가. 나이\n(1) 첫째\n가능하다")).toEqual([
      { kind: "text", text: "다음 각 호와 같다.\n① 하나\n② 둘이고 이어진다\n※ 참고\n가. 나이\n(1) 첫째 가능하다" },
    ]);
    expect(blocks("1) 하나\n2) 둘\n   1. 셋")).toEqual([{ kind: "list", text: "1) 하나\n2) 둘\n   1. 셋" }]);
  });

  test("tables are rows of cells, header first", () => {
    expect(blocks("| 구분 | 금액 |\n|---|--:|\n| **교통비** | 1,000 |\n| 식비 | `a\\|b` |")).toEqual([
      { kind: "table", text: "구분 | 금액\n교통비 | 1,000\n식비 | a|b" },
    ]);
  });

  test("code stays as it is", () => {
    expect(blocks("```python\n# not a heading\n  x = 1\n\n```\n")).toEqual([
      { kind: "code", text: "# not a heading\n  x = 1" },
    ]);
  });

  test("lists keep their nesting and numbers", () => {
    expect(blocks("3. 하나\n4. 둘\n   - 둘의 하나\n   - [x] 둘의 둘\n\n     이어지는 문단\n")).toEqual([
      { kind: "list", text: "3. 하나\n4. 둘\n   - 둘의 하나\n   - [x] 둘의 둘\n     이어지는 문단" },
    ]);
  });

  test("quotations and raw HTML are text, scripts and comments are not", () => {
    expect(
      blocks("> # 인용 제목\n> 인용문\n\n<div><p>안내</p><script>x()</script></div>\n\n<!-- 숨김 -->\n\n끝"),
    ).toEqual([
      { kind: "text", text: "인용 제목" },
      { kind: "text", text: "인용문" },
      { kind: "text", text: "안내" },
      { kind: "text", text: "끝" },
    ]);
  });

  test("text is NFC and has Unix line ends", () => {
    const document = read(
      "# 한글".normalize("NFD").concat("\r\n\r\n본문".normalize("NFD"), "\r\n```\r\na\r\nb\r\n```"),
    );
    expect(document.title).toBe("한글");
    expect(document.blocks).toEqual([
      { kind: "text", text: "본문" },
      { kind: "code", text: "a\nb" },
    ]);
  });

  test("equal content has an equal hash; any change another one", () => {
    const base = { id: "a", text: "본문", format: "text", metadata: { a: 1, b: 2 } } as const;
    const { hash } = readDocument(base);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(readDocument({ ...base, metadata: { b: 2, a: 1 } }).hash).toBe(hash);
    const others = [
      { ...base, text: "본문." },
      { ...base, metadata: { a: 1 } },
      { ...base, title: "t" },
      { ...base, url: "https://a.b" },
      { ...base, groups: ["hr"] },
    ].map((input) => readDocument(input).hash);
    expect(new Set([hash, ...others]).size).toBe(6);
  });
});

describe("hostile Markdown", () => {
  const table = (columns: number, rows: number, row: string) =>
    `${"|a".repeat(columns)}|\n${"|-".repeat(columns)}|\n${`${row}\n`.repeat(rows)}`;

  test.each([
    ["short rows under a wide header", table(3_000, 100, "|v|")],
    ["the same inside a quotation", table(3_000, 100, "|v|").replace(/^/gm, "> ")],
    ["many small tables", `${table(220, 450, "v")}\n`.repeat(3)],
  ])("too many table cells are refused, naming the limit: %s", (_, text) => {
    expect(() => read(text)).toThrow(/"doc\.md" has tables of more than 250000 cells/);
  });

  test("a long table is read, its short rows filled", () => {
    const [block] = blocks(table(20, 2_000, "|값|1|"));
    const lines = block?.text.split("\n") ?? [];
    expect(lines).toHaveLength(2_001);
    expect(lines[0]).toBe(Array(20).fill("a").join(" | "));
    expect(lines[2_000]).toMatch(/^값 \| 1 \|/);
  });

  test.each([
    ["half a mail address", `${"a.".repeat(4900)}@`],
    ["marks that never close", "_a_b".repeat(2400)],
    ["marks before a mail address", `${"_a.".repeat(3300)}@`],
    ["marks of several kinds", "a~_b.*".repeat(1600)],
    ["brackets", "[".repeat(9_900)],
    ["words that are never bold", "__가_나".repeat(2400)],
    ["what is never highlighted", "==a ".repeat(2400)],
    ["boxes that are none", `!!! note${" a".repeat(4900)}!\n:::${" ".repeat(4900)}`],
    ["boxes in boxes", `!!! note\n${"\n".repeat(9_000)}    a`],
    ["pictures in links", "[![a](b)](".repeat(990)],
  ])("1 MB of %s takes under 2 s", (_, paragraph) => {
    const startedAt = cpuMs();
    const read = blocks(`${paragraph}\n\n`.repeat(100));
    expect(cpuMs() - startedAt).toBeLessThan(2_000);
    expect(read).toHaveLength(100);
  });

  test("a long paragraph loses its marks and none of its words", () => {
    const words = Array.from({ length: 2_000 }, (_, i) => `낱말${i}`);
    const text = words.map((word, i) => (i % 5 === 0 ? `**${word}**` : word)).join(" ");
    expect(blocks(text)).toEqual([{ kind: "text", text: words.join(" ") }]);
  });

  test("a long paragraph is cut between lines, so that no link or tag is", () => {
    const line = '<a href="https://a.b" target="_blank">그림</a> [두 낱말](https://a.b/c "제목")';
    expect(blocks(`${line}\n`.repeat(100))).toEqual([
      { kind: "text", text: Array(100).fill("그림 두 낱말").join(" ") },
    ]);
  });

  test("addresses are text, marks around them go", () => {
    expect(blocks("**https://a.b/x_y_z**, me_too@a.b 그리고 <https://c.d> www.e.f/_g_.")).toEqual([
      { kind: "text", text: "https://a.b/x_y_z, me_too@a.b 그리고 https://c.d www.e.f/_g_." },
    ]);
  });
});
