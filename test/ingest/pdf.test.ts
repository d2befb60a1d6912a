import { describe, expect, test } from "vitest";
import { chunk } from "../../src/ingest/chunk.ts";
import { parsePdf } from "../../src/ingest/pdf.ts";
import { type FontKind, lines, makePdf } from "../support/pdf.ts";

const texts = async (pdf: Buffer) => (await parsePdf(pdf)).blocks.map(({ text }) => text);

describe("text", () => {
  test.each<FontKind>(["to-unicode", "predefined"])("Korean, by a %s map, lines joined to paragraphs", async (kind) => {
    const pdf = makePdf(
      [lines(["연차 휴가는 1년간 80퍼센트 이상", "출근한 직원에게 15일을 준다."], { x: 50, y: 700 })],
      kind,
    );
    expect(await texts(pdf)).toEqual(["연차 휴가는 1년간 80퍼센트 이상 출근한 직원에게 15일을 준다."]);
  });

  test("numbers that a word processor parts from their units are whole again, where it parts all of them", async () => {
    const parted = ["제 60 조의 연차는 15 일이고 2 년마다 1 일을 더한다.", "25 명 또는 3 가지를 고른다."];
    expect((await texts(makePdf([lines(parted, { x: 50, y: 700, gap: 40 })]))).join(" ")).toBe(
      "제60조의 연차는 15일이고 2년마다 1일을 더한다. 25명 또는 3 가지를 고른다.",
    );
    const [kept] = await texts(makePdf([lines([`${parted[0]} 모두 3회이다.`], { x: 50, y: 700 })]));
    expect(kept).toContain("15 일");
  });

  const rules = [
    "사원은 출장을 가기 전에 출장 신청서를 팀장에게 내고, 팀장은 신청서를 받은 날부터 이틀 안에 출장을 승인한다. 승인을 받지 않은 출장에는 출장비를 지급하지 않는다.",
    "출장비는 교통비와 숙박비와 식비로 나눈다. 교통비는 실제로 쓴 금액을 지급하고, 숙박비는 하루 120000원까지 지급한다. 식비는 하루에 30000원을 지급한다.",
    "출장을 마친 사원은 돌아온 날부터 5일 안에 출장 보고서와 영수증을 팀장에게 내야 한다. 영수증을 잃어버린 사원은 사유서를 내고 팀장의 승인을 받아야 한다.",
    "보고서를 받은 팀장은 보고서와 영수증을 꼼꼼하게 확인하여 재무팀에 보내고, 재무팀은 서류를 받은 날부터 7일 안에 출장비를 사원에게 지급한다.",
  ];
  const places = (wrap: (text: string) => string[]) => {
    let y = 780;
    return rules.flatMap((text) => {
      const [placed, top] = [lines(wrap(text), { x: 50, y: y - 20, gap: 14 }), y - 20];
      y = top - wrap(text).length * 14;
      return placed;
    });
  };

  test("Korean that is wrapped at any character has whole words; what is wrapped between words is not glued", async () => {
    const atCharacters = (text: string) => text.match(/.{1,26}[.,]?/g)?.map((line) => line.trim()) ?? [];
    const atWords = (text: string) => text.match(/.{1,26}(?= |$)/g)?.map((line) => line.trim()) ?? [];
    expect(await texts(makePdf([places(atWords)]))).toEqual(rules);
    expect(await texts(makePdf([places(atCharacters)]))).toEqual(rules);
  });

  test("a heading above text that is wrapped so is not glued to it", async () => {
    const atCharacters = (text: string) => ["출장", ...(text.match(/.{1,26}[.,]?/g) ?? [])].map((line) => line.trim());
    for (const text of await texts(makePdf([places(atCharacters)]))) expect(text).toMatch(/^출장 /);
  });

  test("text that goes on to the left of a list's last entry is a paragraph of its own", async () => {
    const pdf = makePdf([
      [
        ...lines(["여기에는 넓은 쪽을 끝까지 채우는 아주 긴 첫 문장이 한 줄로 있고 그 뒤에 목록이 온다."], {
          x: 50,
          y: 740,
        }),
        ...lines(["• 일 년 이상 일했을 것", "• 한 주에 열다섯 시간을 넘을 것"], { x: 78, y: 712 }),
        ...lines(["수습 기간도 들어간다."], { x: 50, y: 684 }),
      ],
    ]);
    expect((await texts(pdf)).slice(1)).toEqual([
      "• 일 년 이상 일했을 것",
      "• 한 주에 열다섯 시간을 넘을 것",
      "수습 기간도 들어간다.",
    ]);
  });

  test("hyphens at line ends join, ligatures are letters", async () => {
    const pdf = makePdf([lines(["The ﬁrst employ-", "ees receive sever-", "ance pay."], { x: 50, y: 700 })]);
    expect(await texts(pdf)).toEqual(["The first employees receive severance pay."]);
  });

  test("two columns are read one after the other, below a title that crosses them", async () => {
    const left = Array.from({ length: 8 }, (_, i) => `left column line number ${i} goes on and`);
    const right = Array.from({ length: 8 }, (_, i) => `right column line number ${i} goes on and`);
    const rows = left.flatMap((text, i) => [
      { text, x: 50, y: 650 - i * 14 },
      { text: right[i] ?? "", x: 320, y: 650 - i * 14 },
    ]);
    const pdf = makePdf([[{ text: "A title that crosses both of the columns", x: 50, y: 700, size: 20 }, ...rows]]);
    const all = (await texts(pdf)).join(" ");
    expect(all.indexOf("left column line number 7")).toBeLessThan(all.indexOf("right column line number 0"));
    expect(all.indexOf("A title")).toBe(0);
  });

  test("a table keeps its rows", async () => {
    const rows = [
      ["직급", "숙박비"],
      ["사원", "80,000원"],
      ["임원", "150,000원"],
    ];
    const pdf = makePdf([
      rows.flatMap(([a = "", b = ""], i) => [
        { text: a, x: 50, y: 700 - i * 14 },
        { text: b, x: 250, y: 700 - i * 14 },
      ]),
    ]);
    expect(await texts(pdf)).toEqual(["직급 | 숙박비\n사원 | 80,000원\n임원 | 150,000원"]);
  });

  test("a value without its neighbour stays in its column", async () => {
    const rows = [
      ["지역", "조건", "금액"],
      ["서울", "", "1,000원"],
      ["부산", "회원", "2,000원"],
    ];
    const placed = rows.flatMap((row, i) =>
      row.flatMap((text, column) => (text === "" ? [] : [{ text, x: 50 + column * 150, y: 700 - i * 14 }])),
    );
    expect(await texts(makePdf([placed]))).toEqual(["지역 | 조건 | 금액\n서울 |  | 1,000원\n부산 | 회원 | 2,000원"]);
  });

  test("a value that reaches its neighbour's column stays in the one that it begins in", async () => {
    const placed = [
      { text: "구분", x: 50, y: 700 },
      { text: "기간", x: 180, y: 700 },
      { text: "급여", x: 280, y: 700 },
      { text: "1단계", x: 50, y: 686 },
      { text: "한 해에 열흘까지 통상임금의 백 퍼센트를 줌", x: 165, y: 686 },
    ];
    expect(await texts(makePdf([placed]))).toEqual([
      "구분 | 기간 | 급여\n1단계 | 한 해에 열흘까지 통상임금의 백 퍼센트를 줌 | ",
    ]);
  });

  const level = (x: number, y: number, width: number) => `${x} ${y} m ${x + width} ${y} l S`;
  const upright = (x: number, y: number, height: number) => `${x} ${y} m ${x} ${y + height} l S`;
  /** Cells of 100 by 40 below (50, 700), the outer lines thin fills, as some programs draw them. */
  const ruled = (rows: number, columns: number, without: readonly string[] = []) =>
    [
      `50 ${700 - rows * 40} 1 ${rows * 40} re f ${50 + columns * 100} ${700 - rows * 40} 1 ${rows * 40} re f`,
      ...Array.from({ length: rows + 1 }, (_, i) => level(50, 700 - i * 40, columns * 100)),
      ...Array.from({ length: rows * (columns - 1) }, (_, i) => {
        const [row, column] = [Math.floor(i / (columns - 1)), (i % (columns - 1)) + 1];
        return without.includes(`${row} ${column}`) ? "" : upright(50 + column * 100, 660 - row * 40, 40);
      }),
    ].join("\n");
  const inCell = (row: number, column: number, ...said: string[]) =>
    said.map((text, i) => ({ text, x: 55 + column * 100, y: 685 - row * 40 - i * 12 }));

  test("lines part cells: with several lines of text, without any, merged", async () => {
    const pdf = makePdf(
      [
        [
          ...inCell(0, 0, "구분"),
          ...inCell(0, 1, "금액"),
          ...inCell(1, 0, "학자금"),
          ...inCell(1, 1, "연간 2,000,000원", "한도 안에서 실비"),
          ...inCell(1, 2, "고등학교"),
          ...inCell(2, 0, "검진"),
          ...inCell(2, 2, "격년"),
        ],
      ],
      "to-unicode",
      { drawn: [ruled(3, 3, ["0 2"])] },
    );
    expect(await texts(pdf)).toEqual([
      "구분 | 금액 | 금액\n학자금 | 연간 2,000,000원 한도 안에서 실비 | 고등학교\n검진 |  | 격년",
    ]);
  });

  test("a table that goes on overleaf has its header there too, also on the third page", async () => {
    const rows = (page: number) => [...inCell(1, 0, `항목 ${page}`), ...inCell(1, 1, `${page}00원`)];
    const first = [...inCell(0, 0, "항목"), ...inCell(0, 1, "금액"), ...rows(1)];
    const rest = (page: number) => [...inCell(0, 0, `또 ${page}`), ...inCell(0, 1, "무료"), ...rows(page)];
    const drawn = [1, 2, 3].map(() => ruled(2, 2));
    const { blocks } = await parsePdf(makePdf([first, rest(2), rest(3)], "to-unicode", { drawn }));
    expect(blocks).toEqual([
      { kind: "table", text: "항목 | 금액\n항목 1 | 100원", page: 1 },
      { kind: "table", text: "항목 | 금액\n또 2 | 무료\n항목 2 | 200원", page: 2 },
      { kind: "table", text: "항목 | 금액\n또 3 | 무료\n항목 3 | 300원", page: 3 },
    ]);
  });

  test("a frame around text is no table", async () => {
    const frame = [level(40, 720, 300), level(40, 650, 300), upright(40, 650, 70), upright(340, 650, 70)].join("\n");
    const pdf = makePdf([lines(["첫 줄이 이어", "진다. 둘째 문장."], { x: 50, y: 700 })], "to-unicode", {
      drawn: [frame],
    });
    expect(await texts(pdf)).toEqual(["첫 줄이 이어 진다. 둘째 문장."]);
  });

  test("what is raised or lowered stays in its line: 10² is not 102", async () => {
    const pdf = makePdf([
      [
        { text: "10", x: 50, y: 700 },
        { text: "2", x: 60, y: 704.5, size: 7 },
        { text: "㎡, H", x: 63.5, y: 700 },
        { text: "2", x: 83.5, y: 697, size: 7 },
        { text: "O", x: 87, y: 700 },
        { text: "다음 줄이다.", x: 50, y: 686 },
      ],
    ]);
    expect(await texts(pdf)).toEqual(["10^2㎡, H2O 다음 줄이다."]);
  });

  test("pages that lie are read, their tables too", async () => {
    const lying = (x: number, y: number, text: string) => ({ text, x: 100 + y, y: x, isTurned: true });
    const pdf = makePdf([
      [lying(50, 0, "직급"), lying(250, 0, "숙박비"), lying(50, 14, "사원"), lying(250, 14, "80,000원")],
    ]);
    expect(await texts(pdf)).toEqual(["직급 | 숙박비\n사원 | 80,000원"]);
  });

  test("what was filled in forms, and typed on the page, stands where it does", async () => {
    const field = (rest: string, y: number) => `<< /Type /Annot /Rect [150 ${y - 5} 350 ${y + 15}] /F 4 ${rest} >>`;
    const hex = (text: string) => `<feff${Buffer.from(text, "utf16le").swap16().toString("hex")}>`;
    const annotations = [
      field(`/Subtype /Widget /FT /Tx /T (a) /V ${hex("홍길동")}`, 700),
      field("/Subtype /Widget /FT /Btn /T (b) /V /Yes /AS /Yes /AP << /N << /Yes null /Off null >> >>", 670),
      field(`/Subtype /FreeText /DA (/Helv 10 Tf) /Contents ${hex("인사팀")}`, 640),
      `<< /Type /Annot /Subtype /Text /Rect [0 0 20 20] /Contents ${hex("메모")} >>`,
    ];
    const pdf = makePdf([lines(["성명:", "동의:", "부서:"], { x: 50, y: 700, gap: 30 })], "to-unicode", {
      annotations: [annotations.join(" ")],
    });
    expect(await texts(pdf)).toEqual(["성명: 홍길동 동의: ☑ 부서: 인사팀"]);
  });
});

describe("pages", () => {
  const page = (n: number) => [
    { text: "사내 규정집 2024", x: 50, y: 770, size: 8 },
    ...lines([`제${n}조 이 쪽의 내용은 ${n}번 항목이다.`, "그 밖의 사항은 따로 정한다."], { x: 50, y: 700, gap: 40 }),
    { text: `- ${n} -`, x: 290, y: 30, size: 8 },
  ];

  test("headers, footers and page numbers are dropped; blocks and passages name their page", async () => {
    const { blocks } = await parsePdf(makePdf([1, 2, 3, 4].map(page)));
    expect(blocks.map(({ text }) => text).join("\n")).not.toMatch(/규정집|- \d -/);
    expect(blocks.find(({ text }) => text.includes("3번 항목"))?.page).toBe(3);
    const passages = chunk(blocks, { targetTokens: 40, overlapTokens: 0 }, counter);
    expect(passages.map(({ page: at }) => at)).toEqual([1, 2, 3, 4]);
  });

  test("headers that name the chapter beside the page's number are dropped", async () => {
    const chapter = (n: number) => [
      { text: `Chapter ${n < 3 ? "1: Begin" : "2: Go on"} ${n}`, x: 50, y: 770 },
      ...lines([`Text of page ${n} is here.`, "And so is 7", "another line."], { x: 50, y: 700, gap: 40 }),
    ];
    const all = (await texts(makePdf([1, 2, 3, 4].map(chapter)))).join("\n");
    expect(all).not.toContain("Chapter");
    expect(all.match(/And so is 7/g)).toHaveLength(4);
  });

  test("headers and footers in two parts are dropped beside tables, too", async () => {
    const margins = (n: number) => [
      { text: "다온테크", x: 50, y: 770 },
      { text: "장비 규정", x: 400, y: 770 },
      { text: "2025-03-01", x: 50, y: 30 },
      { text: `${n} / 3`, x: 400, y: 30 },
    ];
    const table = ["장비 대여료", "카메라 5,000원", "삼각대 2,000원"].flatMap((row, i) =>
      row.split(" ").map((text, column) => ({ text, x: 50 + 350 * column, y: 700 - i * 14 })),
    );
    const article = (n: number) => lines([`제${n}조 빌린다.`, "돌려준다.", "적는다."], { x: 50, y: 700, gap: 40 });
    const pdf = makePdf([1, 2].map((n) => [...margins(n), ...article(n)]).concat([[...margins(3), ...table]]));
    const all = await texts(pdf);
    expect(all.at(-1)).toBe("장비 | 대여료\n카메라 | 5,000원\n삼각대 | 2,000원");
    expect(all.join("\n")).not.toContain("다온테크");
  });

  const counter = { name: "characters", count: (text: string) => text.length };

  test("a passage names all pages that its text stands on, also within a sentence that goes on overleaf", async () => {
    const pdf = makePdf([
      lines(["휴가는 미리 신청한다. 신청은 사흘 앞서 하고, 급한 때에는"], { x: 50, y: 700 }),
      lines(["그날 아침에 알린다. 남은 휴가는 이듬해로 넘어가지 않는다."], { x: 50, y: 700 }),
      lines(["출장비는 닷새 안에 정산한다. 영수증을 붙인다."], { x: 50, y: 700 }),
    ]);
    const { blocks } = await parsePdf(pdf);
    expect(blocks).toHaveLength(2);
    const whole = chunk(blocks, { targetTokens: 200, overlapTokens: 0 }, counter);
    expect(whole.map(({ page, pageEnd }) => [page, pageEnd])).toEqual([[1, 3]]);
    const cut = chunk(blocks, { targetTokens: 36, overlapTokens: 0 }, counter);
    expect(cut.map(({ text, page, pageEnd }) => [text.slice(0, 7), page, pageEnd])).toEqual([
      ["휴가는 미리 ", 1, undefined],
      ["신청은 사흘 ", 1, 2],
      ["남은 휴가는 ", 2, undefined],
      ["출장비는 닷새", 3, undefined],
    ]);
  });

  test("a sentence that is repeated from the page before counts", async () => {
    const text = "가나다라 마바사아 자차카타 파하. ".repeat(2);
    const { blocks } = await parsePdf(
      makePdf([lines([`${text}넘어가는`], { x: 50, y: 700 }), lines([`글. ${text}`], { x: 50, y: 700 })]),
    );
    const cut = chunk(blocks, { targetTokens: 50, overlapTokens: 25 }, counter);
    expect(cut.at(-1)?.text).toMatch(/^넘어가는 글/);
    expect(cut.at(-1)).toMatchObject({ page: 1, pageEnd: 2 });
  });

  test("a heading that shares a passage with the next does not lose its page", () => {
    const blocks = [
      { kind: "heading", depth: 1, text: "하나", page: 3 },
      { kind: "text", text: "짧다", page: 3 },
      { kind: "heading", depth: 1, text: "둘", page: 4 },
      { kind: "text", text: "짧다", page: 4 },
    ] as const;
    const joined = chunk(blocks, { targetTokens: 200, overlapTokens: 0 }, counter);
    expect(joined).toMatchObject([{ page: 3, pageEnd: 4 }]);
  });

  test("pages without text are named where others have some", async () => {
    const { notice } = await parsePdf(makePdf([lines(["글이 있다."], { x: 50, y: 700 }), [], []]));
    expect(notice).toBe("2 of 3 pages have no text (scanned?): 2, 3");
    expect(await parsePdf(makePdf([1, 2].map(page)))).not.toHaveProperty("notice");
  });

  test("larger text is a heading", async () => {
    const pdf = makePdf([
      [
        { text: "휴가 규정", x: 50, y: 700, size: 20 },
        ...lines(["본문이 여기에 있다. 길게 이어진다."], { x: 50, y: 650 }),
      ],
    ]);
    expect((await parsePdf(pdf)).blocks[0]).toEqual({ kind: "heading", depth: 1, text: "휴가 규정", page: 1 });
  });
});

describe("refused by name", () => {
  test.each([
    ["no text", makePdf([[]]), /has no text layer/],
    ["no text in a standard font", makePdf([[{ text: "", x: 50, y: 700 }]], "standard"), /has no text layer/],
    ["no PDF", Buffer.from("hello"), /damaged, or no PDF/],
    [
      "glyphs without meaning",
      makePdf([lines(["\ue001\ue002\ue003\ue004"], { x: 50, y: 700 })]),
      /without readable characters/,
    ],
    [
      "Japanese fonts without maps",
      makePdf([lines(["日本語"], { x: 50, y: 700 })], "predefined-japanese"),
      /has Japanese text whose fonts/,
    ],
    ["too many pages", makePdf(Array.from({ length: 5_001 }, () => [])), /has 5001 pages \(at most 5000\)/],
  ])("%s", async (_, pdf, reason) => {
    await expect(parsePdf(pdf)).rejects.toThrow(reason);
  });
});
