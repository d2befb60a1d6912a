import { describe, expect, test } from "vitest";
import { assemble, readDocument } from "../../src/ingest/document.ts";
import { parseText } from "../../src/ingest/text.ts";
import { cpuMs } from "../support/cpu.ts";

const blocksOf = (source: string) => parseText(source).blocks;
const textsOf = (source: string) => blocksOf(source).map(({ text }) => text);

const KOREAN =
  "회사는 직원의 건강을 지키기 위하여 해마다 한 번 건강검진을 실시하며, 검진에 드는 비용은 회사가 부담한다. 직원은 정당한 사유 없이 검진을 거부할 수 없고, 검진을 받는 날은 근무한 것으로 본다. 검진 결과는 본인에게 알리며, 본인의 동의 없이 다른 목적으로 이용하지 않는다. 검진에서 이상이 발견된 직원에게는 재검진의 기회를 주고, 필요한 경우 근무 장소를 바꾸거나 근로시간을 줄인다.";
const ENGLISH =
  "The security team reviews requests to export data within two business days. Requests that hold customer records go to the chief information security officer, who decides within five days. Whoever needs an answer sooner says so in the request and names the reason for it.";

/** Broken at the last space before the column, or at any character. */
function wrapped(text: string, columns: number, at: "word" | "character"): string {
  const widthOf = (part: string) => [...part].reduce((sum, sign) => sum + (/[가-힣]/.test(sign) ? 2 : 1), 0);
  const pieces = at === "word" ? text.split(/(?<= )/) : [...text];
  const lines = [""];
  for (const piece of pieces) {
    const joined = lines.at(-1) + piece;
    if (widthOf(joined.trimEnd()) <= columns) lines[lines.length - 1] = joined;
    else lines.push(piece);
  }
  return lines.map((line) => line.trim()).join("\n");
}

describe("lines that were broken because they were full", () => {
  test.each([
    ["Korean between words", KOREAN, 72, "word"],
    ["English", ENGLISH, 60, "word"],
  ] as const)("are joined: %s", (_, text, columns, at) => {
    expect(textsOf(wrapped(text, columns, at))).toEqual([text]);
  });

  test.each([60, 40])(
    "are joined where they break within words, most of which are whole again: %i columns",
    (columns) => {
      const [text = "", ...others] = textsOf(wrapped(KOREAN, columns, "character"));
      expect(others).toEqual([]);
      expect(text.replaceAll(" ", "")).toBe(KOREAN.replaceAll(" ", ""));
      const words = new Set(text.split(" "));
      expect(KOREAN.split(" ").filter((word) => !words.has(word)).length).toBeLessThanOrEqual(5);
    },
  );

  test("a hyphen that breaks a word goes", () => {
    const source = wrapped(`Requests are read by the team, in order. ${ENGLISH}`, 60, "word");
    expect(textsOf(source.replace("team\nreviews", "team re-\nviews"))[0]).toContain("team reviews requests");
  });

  test("also those of a mail that is answered, which keep their mark", () => {
    const quoted = wrapped(ENGLISH, 60, "word").replace(/^/gm, "> ");
    const older = wrapped(ENGLISH, 56, "word").replace(/^/gm, ">> ");
    const source = `Kim wrote:\n${quoted}\n>\n> Who decides?\n${older}\nWe do.`;
    expect(textsOf(source)).toEqual(["Kim wrote:", `> ${ENGLISH}`, "> Who decides?", `>> ${ENGLISH}`, "We do."]);
    expect(textsOf("개정 2026. 3. 1.\n>\n끝")).toEqual(["개정 2026. 3. 1.\n>\n끝"]);
    expect(textsOf(">>> total(1)\n3\n>>> total(2)")).toEqual([">>> total(1)", "3", ">>> total(2)"]);
  });

  test("entries, articles and dates: what begins a line, and what does not", () => {
    const list = `① ${wrapped(KOREAN, 60, "word")}\n1. 첫째\n가. 둘째\n○ 셋째\n※ 넷째\n- 다섯째`;
    expect(textsOf(list)[0]?.split("\n")).toEqual([
      `① ${KOREAN}`,
      "1. 첫째",
      "가. 둘째",
      "○ 셋째",
      "※ 넷째",
      "- 다섯째",
    ]);
    const mention = `${KOREAN} 그 밖에 직원의 건강과 안전에 관하여 필요한 사항은 제34조(안전)를 준용하며, 2026. 3. 1.부터 시행한다.`;
    for (const begun of ["\n제34조(", "\n3. 1.부터"]) {
      const sources = Array.from({ length: 40 }, (_, i) => wrapped(mention, 40 + i, "word"));
      expect(textsOf(sources.find((source) => source.includes(begun)) ?? "")).toEqual([mention]);
    }
  });

  test.each([
    [
      "a log",
      Array.from({ length: 8 }, (_, i) => `2026-04-01 10:00:0${i} INFO request path=/v1/ask took=${20 + i} ms`),
    ],
    [
      "a chat",
      [
        "[김철수] [오전 9:01] 다들 좋은 아침입니다",
        "[이영희] [오전 9:02] 안녕하세요",
        "[박민수] [오전 9:10] 점심 어디서 먹나요",
        "[김철수] [오전 9:12] 을지로 골목집에서 먹읍시다 어제 예약했어요",
      ],
    ],
    [
      "fields",
      [
        "일시: 2026. 4. 8.(수) 10:00~11:30",
        "장소: 본사 7층 회의실 B (화상 회의 병행)",
        "참석: 김철수, 이영희, 박민수, 최지우",
        "불참: 정하늘(휴가)",
      ],
    ],
    [
      "a table of contents",
      Array.from(
        { length: 6 },
        (_, i) => `${"목적 적용범위 용어의-정의 신청 여비 정산".split(" ")[i]} ${"·".repeat(30)} ${i + 2}`,
      ),
    ],
    ["an address", ["서울특별시 강남구 테헤란로 123", "한빛빌딩 7층 플랫폼팀", "02-1234-5678"]],
    [
      "sentences of a length",
      [
        "비밀번호는 아홉 자리 이상으로 정하고 분기마다 바꾼다.",
        "노트북은 자리를 비울 때 잠그고 퇴근할 때 서랍에 넣는다.",
        "출입증은 보이는 곳에 달고 다른 사람에게 빌려주지 않는다.",
        "방문객은 안내 데스크에서 이름을 적고 출입증을 받는다.",
      ],
    ],
    [
      "code",
      [
        'user = build_user(name="john doe", age=42)',
        "order = build_order(user=user, items=items)",
        'total = total_of(order, currency="KRW", tax=1)',
        'print("total of the order is", total, "won")',
      ],
    ],
  ])("others are lines: %s", (_, lines) => {
    expect(textsOf(lines.join("\n"))).toEqual([lines.join("\n")]);
  });
});

describe("tables", () => {
  const rows = ["구분 | 숙박비(1박) | 일비", "팀장 | 150,000원 | 30,000원", "사원 | 100,000원 | 20,000원"].join("\n");

  test.each([
    ["tabs", "구분\t숙박비(1박)\t일비\n팀장\t150,000원\t30,000원\n사원\t100,000원\t20,000원"],
    ["tabs that align", "구분\t\t숙박비(1박)\t일비\n팀장\t\t150,000원\t30,000원\n사원\t\t100,000원\t20,000원"],
    ["spaces", "구분      숙박비(1박)     일비\n팀장      150,000원      30,000원\n사원      100,000원      20,000원"],
    [
      "a frame",
      "+----+----+----+\n| 구분 | 숙박비(1박) | 일비 |\n+====+====+====+\n| 팀장 | 150,000원 | 30,000원 |\n| 사원 | 100,000원 | 20,000원 |\n+----+----+----+",
    ],
    [
      "a drawn frame",
      "┌──┬──┬──┐\n│구분│숙박비(1박)│일비│\n├──┼──┼──┤\n│팀장│150,000원│30,000원│\n│사원│100,000원│20,000원│\n└──┴──┴──┘",
    ],
    [
      "a rule below the head",
      " 구분 | 숙박비(1박) | 일비\n-----+------+-----\n 팀장 | 150,000원 | 30,000원\n 사원 | 100,000원 | 20,000원",
    ],
  ])("parted by %s", (_, source) => {
    expect(blocksOf(`여비 기준\n${source}\n※ 국외는 실비`)).toEqual([
      { kind: "text", text: "여비 기준" },
      { kind: "table", text: rows },
      { kind: "text", text: "※ 국외는 실비" },
    ]);
  });

  test("an empty cell leaves the others in their columns, and a row may take several lines between rules", () => {
    const spaced = "직급      정년      비고\n부장      60세\n고문                촉탁\n감사      없음      없음";
    expect(textsOf(spaced)).toEqual(["직급 | 정년 | 비고\n부장 | 60세 | \n고문 |  | 촉탁\n감사 | 없음 | 없음"]);
    const framed = "+--+--+\n| a | b |\n+--+--+\n| 1 | 둘 |\n|   | 셋 |\n+--+--+\n| 2 | 넷 |\n+--+--+";
    expect(textsOf(framed)).toEqual(["a | b\n1 | 둘 셋\n2 | 넷"]);
  });

  test.each([
    "이름:\t김철수\n부서:\t플랫폼팀\n직급:\t책임",
    "src\n├── index.ts   # 시작\n│   ├── a.ts   # 하나\n└── b.ts       # 둘",
    "ps aux | grep node\ncat log | sort | uniq",
    "One.  Two.  Three.\nFour.  Five.  Six.",
  ])("no table: %j", (source) => {
    expect(blocksOf(source)).toEqual([{ kind: "text", text: source }]);
  });
});

test("underlined lines are headings, the one at the beginning the title", () => {
  const source =
    "Ragline\n=======\n\nServes answers.\n\nInstall\n-------\nnpm ci\n\nUsage\n=====\n\nIt ends here.\n-----\nbye";
  const { title, blocks } = readDocument({ id: "readme", text: source, format: "text" });
  expect(title).toBe("Ragline");
  expect(blocks).toEqual([
    { kind: "text", text: "Serves answers." },
    { kind: "heading", depth: 3, text: "Install" },
    { kind: "text", text: "npm ci" },
    { kind: "heading", depth: 2, text: "Usage" },
    { kind: "text", text: "It ends here.\n-----\nbye" },
  ]);
});

describe("what is no wrapped prose, and no table", () => {
  test.each([
    ["addresses", Array.from({ length: 6 }, (_, i) => `https://www.example.com/docs/getting-started/installation${i}`)],
    ["paths", Array.from({ length: 6 }, (_, i) => `src/adapters/passage-index/postgres-search-${i}.ts`)],
    [
      "titles",
      [
        "연차 유급휴가 사용 촉진 제도 운영 현황 보고",
        "재택근무 및 유연근무제 시행에 관한 개정 지침",
        "임직원 해외 출장 여비 지급 기준 변경 안내문",
        "정보 보호 관리 체계 인증 심사 대응 결과 보고",
      ],
    ],
    [
      "commands",
      [
        "docker run --rm --name api node:24-alpine",
        "kubectl apply --filename deploy/api-server",
        "terraform apply --auto-approve production",
      ],
    ],
    [
      "settings",
      [
        "server.connection.timeout.default = thirty",
        "server.connection.retries.default = seven",
        "server.connection.backlog.default = three",
      ],
    ],
    ["code", ["x  = compute(1,  2)", "if x  and  y:", "    return  None"]],
    ["a note", ["Please note:  prices exclude  tax.", "The team meets  daily"]],
  ])("%s stay lines", (_, lines) => {
    expect(textsOf(lines.join("\n"))).toEqual([lines.join("\n")]);
  });

  test("lines of strokes head no table, and many of them take no time for each pair", () => {
    expect(
      blocksOf(
        "=====  =====  ======\nA      B      A or B\n=====  =====  ======\nNo     No     No\nYes    No     Yes",
      )[0],
    ).not.toMatchObject({ text: expect.stringContaining("===== | =") });
    const startedAt = cpuMs();
    blocksOf("---  ---  ---\n".repeat(60_000));
    blocksOf(`제1조(목적)${" ".repeat(200_000)}x`);
    expect(cpuMs() - startedAt).toBeLessThan(3_000);
  });
});

describe("pages", () => {
  const page = (number: number, body: string) => `주식회사 한빛 취업규칙\n\n${body}\n\n대외비\n- ${number} -\n`;
  const bodies = [
    "가 조항\n나 조항\n직원은 회사의 승인을",
    "받아야 한다.\n다 조항\n라 조항이다.",
    "마 조항\n바 조항\n사 조항",
  ];

  test.each([
    ["form feeds", "\f"],
    ["their numbers alone", ""],
  ])("parted by %s: headers, footers and numbers go, a sentence goes on", (_, end) => {
    const text = textsOf(bodies.map((body, i) => page(i + 1, body)).join(end)).join("\n\n");
    expect(text).toBe(
      "주식회사 한빛 취업규칙\n\n가 조항\n나 조항\n직원은 회사의 승인을\n받아야 한다.\n다 조항\n라 조항이다.\n\n마 조항\n바 조항\n사 조항\n\n대외비",
    );
  });

  test("a short page has a header too, which is kept once", () => {
    const pages = ["가", "나", "다"].map((name) => `한빛 사규집\n${name} 조항이다.\n${name} 세칙이다.`);
    expect(textsOf(pages.join("\f"))).toEqual([
      "한빛 사규집\n가 조항이다.\n가 세칙이다.",
      "나 조항이다.\n나 세칙이다.",
      "다 조항이다.\n다 세칙이다.",
    ]);
  });

  test("what pages say alike stays where it is content: numbers that are none of pages, sentences, chapters, two pages", () => {
    const receipt = (i: number) =>
      `Receipt No. ${1001 + i}\nCustomer: ${7 - i}\n\nTea\nCake\n\nTotal: ${300 + 7 * i},000\nSee you.`;
    const chapter = (i: number) => `Chapter ${i + 1}\n\nText ${i}.\n\nNobody spoke.`;
    const apart = (pages: readonly string[]) => textsOf(pages.join("\f")).join("\n\n");
    const numbers = [0, 1, 2, 3];
    expect(apart(numbers.map(receipt))).toBe(numbers.map(receipt).join("\n\n"));
    expect(apart(numbers.map(chapter))).toBe(numbers.map(chapter).join("\n\n"));
    expect(apart(["a\nb\n(end)", "c\nd\n(end)"])).toBe("a\nb\n(end)\n\nc\nd\n(end)");
  });

  test("numbers that count nothing stay, and so does what one page alone says", () => {
    expect(textsOf("합계\n- 3 -\n평균\n- 7 -\n최대\n- 9 -")[0]).toContain("- 7 -");
    expect(textsOf("a\nb\nc\nd\ne\f1\n2\n3\n4\n5").join("\n")).toBe("a\nb\nc\nd\ne\n1\n2\n3\n4\n5");
  });
});

test.each([
  "가\n",
  "가 나\t",
  "| a ",
  "|a|b|\n",
  "a  b  c\n",
  "-",
  "=\n",
  "\f",
  "- 1 -\n",
  "\n",
  " ",
  `${"가나다라마바사 ".repeat(6)}\n`,
])("takes linear time on a megabyte of %j", (piece) => {
  const began = cpuMs();
  parseText(piece.repeat(1_000_000 / piece.length));
  expect(cpuMs() - began).toBeLessThan(3_000);
});

test("what nobody sees is no part of a word, in any format, and pages keep their places", () => {
  const hidden = "\u001b[1;32m연\u00ad차\u200b휴\u2060가\ufeff는 👩‍💻 ไทย\u200bคำ";
  const seen = "연차휴가는 👩‍💻 ไทย\u200bคำ";
  for (const format of ["text", "markdown", "html"] as const) {
    const { title, blocks } = readDocument({ id: "a", text: hidden, format, title: "연\u200b차" });
    expect({ title, blocks }).toEqual({ title: "연차", blocks: [{ kind: "text", text: seen }] });
  }
  const pageBreaks = [{ page: 2, at: 5 }];
  const paged = assemble({ id: "a" }, "a", {
    fields: {},
    blocks: [{ kind: "text", text: "가\u00ad나 다", page: 1, pageBreaks }],
  });
  expect(paged.blocks).toEqual([{ kind: "text", text: "가나 다", page: 1, pageBreaks: [{ page: 2, at: 4 }] }]);
});
