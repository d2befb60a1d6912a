import { describe, expect, test } from "vitest";
import { carryOver } from "../../src/pipeline/carry-over.ts";
import { rewriteByRules } from "../../src/pipeline/rewrite.ts";
import { cpuMs } from "../support/cpu.ts";
import { emptySession, fakeStages, questionOf } from "../support/stages.ts";

interface Before {
  readonly question: string;
  readonly query?: string;
  readonly answer?: string;
}

function rewritten(asked: string, before: readonly (string | Before)[], rules = true) {
  const turns = before.map((turn, i) => {
    const { question, query = "", answer = "네" } = typeof turn === "string" ? { question: turn } : turn;
    return {
      number: i + 1,
      short: false,
      requestId: `${i}`,
      question,
      query,
      answer,
      status: "complete",
      tokens: 1,
      at: "",
    } as const;
  });
  const session = { ...emptySession("s"), turns, turnCount: turns.length };
  const stages = fakeStages({ settings: { rewriteFollowUps: rules } });
  return rewriteByRules(stages, questionOf({ question: asked }), session);
}

const KO = "연차 휴가 규정을 자세히 알려 주세요";
const EN = "How is severance pay calculated in Korea?";

describe("rewrite by rules", () => {
  test.each([
    ["그건 언제까지 써야 하나요?", KO],
    ["그럼 입사 첫해에는 며칠을 받나요?", KO],
    ["그리고 수습 기간에도 똑같이 적용되나요?", KO],
    ["그 경우에 급여는 어떻게 되나요?", KO],
    ["이것도 회사가 거부할 수 있나요?", KO],
    ["저건 회사가 언제까지 지급해야 하는 돈인가요?", KO],
    ["수습 기간에 있는 직원은요?", KO],
    ["왜요?", KO],
    ["며칠이에요?", KO],
    ["And for part-time workers in Seoul?", EN],
    ["What about workers on fixed-term contracts?", EN],
    ["When must it be paid at the latest?", EN],
    ["Can they pay less than the minimum?", EN],
    ["Do people who work there in the evening get more?", EN],
    ["Why?", EN],
    ["how much?", EN],
  ])("%j leans on %j", (asked, before) => {
    const { query, standalone } = rewritten(asked, [before]);
    expect(standalone).toBe(false);
    expect(query.endsWith(` ${asked}`)).toBe(true);
    const carried = query.slice(0, -asked.length - 1).split(" ");
    const topic = before === KO ? ["연차", "휴가", "규정", "자세히"] : ["severance", "pay", "calculated", "korea"];
    expect(carried.length).toBeGreaterThan(0);
    expect(topic).toEqual(expect.arrayContaining(carried));
  });

  test.each([
    ["계약직 직원이 회사 노트북을 잃어버리면 보안팀에 알려야 하나요?", KO],
    ["How long must passwords for customer database systems be?", EN],
    ["Who approves travel expenses above 500 euros?", EN],
    ["저는 작년 3월에 입사한 계약직인데 경조사비를 받을 수 있나요?", KO],
    ["Is there a way to report bullying without giving my name?", EN],
    ["I bought a desk chair for my home office; when is it paid back?", EN],
  ])("%j stands alone after %j", (asked, before) => {
    expect(rewritten(asked, [before])).toEqual({ query: asked, standalone: true });
  });

  test.each(["그건 언제까지인가요?", "What about it?", "왜?"])("%j without a conversation stays as it is", (asked) => {
    expect(rewritten(asked, [])).toEqual({ query: asked, standalone: true });
  });

  test("a chain of follow-ups goes back to the question that stood alone, not past it", () => {
    const chain = ["연차 휴가는 며칠인가요?", EN, "그건 언제까지 줘야 하나요?", "왜요?"];
    const { query } = rewritten("그럼 늦으면 어떻게 되나요?", chain);
    expect(query).toContain("severance pay");
    expect(query).not.toContain("연차");
  });

  describe("a word that takes another's place", () => {
    const table = "도시: 뉴욕, 숙박비 상한: 350달러, 일비: 90달러 도시: 런던, 숙박비 상한: 280파운드, 일비: 70파운드";
    const trip = { question: "뉴욕 출장 숙박비 상한이 얼마예요?", answer: table };
    const plan = { question: "How much is the Pro plan?", answer: "The Pro plan costs 9 euros a month." };
    const premium = { question: "and Premium?", answer: "The Premium plan costs 29 euros, the Pro plan 9." };
    const branch = {
      question: "서울 지점 전화번호 알려줘",
      answer: "서울 지점 전화번호는 02-1111이다. 주소는 서울 중구다.",
    };

    test.each<[string, readonly Before[], RegExp, RegExp]>([
      ["그럼 런던은?", [trip], /숙박비 상한/, /뉴욕/],
      ["거기 일비는?", [trip, { question: "그럼 런던은?", answer: table }], /^런던 숙박비/, /뉴욕/],
      [
        "거기 일비는?",
        [trip, { question: "런던은?", answer: table }, { question: "뉴욕하고 런던은?", answer: table }],
        /^런던 뉴욕|^뉴욕 런던/,
        /도시/,
      ],
      [
        "일비는?",
        [
          { ...trip, answer: `해외 출장의 숙박비와 일비는 지역별로 다릅니다. ${table}` },
          { question: "런던은?", answer: table },
        ],
        /^런던 숙박비/,
        /뉴욕/,
      ],
      ["얼마나 걸려요?", [trip, { question: "런던은 얼마예요?", answer: table }], /^런던 숙박비/, /뉴욕/],
      ["How much storage does it have?", [plan, premium], /premium plan/, /\bpro\b/],
      [
        "거기 주차 돼요?",
        [branch, { question: "부산은?", answer: "부산 지점 전화번호는 051-3333이다." }],
        /^부산 지점/,
        /서울/,
      ],
      ["거기 주차 돼요?", [branch, { question: "주소는요?", answer: "주소는 서울 중구다." }], /^서울 지점/, /전화번호/],
      [
        "Is it free?",
        [plan, { question: "How many users of Premium?", answer: premium.answer }],
        /pro plan/,
        /premium/,
      ],
    ])("%j after %j", (asked, before, carried, dropped) => {
      const { query } = rewritten(asked, before);
      expect(query).toMatch(carried);
      expect(query).not.toMatch(dropped);
    });

    test.each<[string, readonly (string | Before)[], string]>([
      [
        "보증기간은?",
        [
          { question: "청정 A100 가격이 얼마예요?", answer: "A100의 가격은 290,000원입니다." },
          { question: "A200은?", answer: "A200의 가격은 490,000원입니다." },
        ],
        "a200 가격 보증기간은?",
      ],
      ["영업이익은?", ["2024년 매출은 얼마인가요?", "2025년은?"], "매출 2025년 영업이익은?"],
      ["2022년은?", ["2024년 매출은 얼마인가요?"], "매출 2022년은?"],
      ["E3009는?", ["오류 E3007은 뭐예요?", "E3008은?"], "오류 E3009는?"],
      ["what about 2023?", ["What was the revenue in 2024?"], "revenue what about 2023?"],
    ])("%j, where numbers alone tell them apart", (asked, before, query) => {
      expect(rewritten(asked, before).query).toBe(query);
    });

    test('is what "there" means, also where nothing tells what it took the place of', () => {
      expect(rewritten("거기 일비는?", [{ ...trip, answer: "350" }, "그럼 런던은?"]).query).toMatch(/런던/);
    });
  });

  describe("a correction", () => {
    const price = { question: "A100 가격은?", answer: "A100의 가격은 290,000원입니다." };

    test.each<[string, readonly (string | Before)[], string]>([
      ["아니 A100 말고 A200", [price], "가격 A200"],
      ["보증기간은?", [price, "아니 A100 말고 A200"], "a200 가격 보증기간은?"],
      ["A100이 아니라 A200은?", [price], "가격 A200은?"],
      ["아니, 2024년 말고 2025년", ["2024년 매출은 얼마인가요?"], "매출 2025년"],
      ["아니, 연차 말고 육아휴직은?", ["연차휴가는 며칠인가요?"], "육아휴직은?"],
      ["2025년 매출 말고 영업이익은?", ["2025년 매출은 얼마인가요?"], "2025년 영업이익은?"],
      ["서울 지점 말고 부산 지점은?", ["서울 지점 전화번호는?"], "전화번호 부산 지점은?"],
      ["No, not the Pro plan but Premium", ["How much is Pro?"], "Premium"],
      ["Premium, not Pro", ["How much does Pro cost?"], "cost Premium"],
      [
        "What does the Pro plan cost, not including tax?",
        ["How much is the tax?"],
        "What does the Pro plan cost, not including tax?",
      ],
      [
        "Not only the Pro plan but also the Premium plan?",
        ["Do plans have seats?"],
        "Not only the Pro plan but also the Premium plan?",
      ],
      ["아니요", [price], "a100 가격 아니요"],
      ["연차 말고 뭐가 있어요?", ["휴가는 며칠인가요?"], "휴가 연차 말고 뭐가 있어요?"],
      ["A100뿐 아니라 A200도?", [price], "가격 A100뿐 아니라 A200도?"],
      ["걱정하지 말고 쉬나요?", [price], "a100 가격 걱정하지 말고 쉬나요?"],
    ])("%j after %j", (asked, before, query) => {
      expect(rewritten(asked, before).query).toBe(query);
    });

    test("that says all by itself is searched for without what it replaces", () => {
      const asked = "아니, A100 말고 A200 필터 교체 주기를 알려 주세요";
      expect(rewritten(asked, [price])).toEqual({ query: "A200 필터 교체 주기를 알려 주세요", standalone: true });
    });

    test("of nothing, in a first question, is none", () => {
      expect(rewritten("연차 말고 병가는?", [])).toEqual({ query: "연차 말고 병가는?", standalone: true });
    });
  });

  test.each([
    ..."감사합니다|네 감사합니다!|네, 알겠습니다.|고마워요~|ㅇㅋ|오케이|아하 그렇군요|답변 정말 감사드립니다".split(
      "|",
    ),
    ..."thanks|Thank you so much!|ok got it|Great, thanks for your help".split("|"),
  ])("%j begins no topic and adds nothing to one", (thanks) => {
    const turn = { question: thanks, query: thanks, answer: `${thanks} 네` };
    expect(rewritten("임신 중이면요?", ["재택근무 며칠까지 되나요?", turn]).query).toBe("재택근무 임신 중이면요?");
  });

  test.each(["네 시간 근무는?", "Thanks giving leave", "good conduct rules"])("%j is no mere thanks", (question) => {
    expect(rewritten("왜요?", ["재택근무 며칠까지 되나요?", { question, query: question }]).query).not.toBe(
      "재택근무 왜요?",
    );
  });

  test("words that answers took up weigh more than those said once", () => {
    const question = "Tell me where the zorblatt museum of Lisbon stands today";
    const answer = "The zorblatt museum stands by the river; the zorblatt museum is free.";
    expect(rewritten("How old is it?", [{ question, answer }]).query).toBe("zorblatt museum How old is it?");
  });

  test("where nothing stood alone, the first question's words are carried", () => {
    expect(rewritten("왜요?", ["병가는요?", "그건 며칠?"]).query).toBe("병가 왜요?");
  });

  describe("after a short question about something else", () => {
    const question = "법인카드 한도는 얼마인가요?";
    const carried = (turn: Before) => rewritten("그럼 초과하면 어떻게 되나요?", [KO, turn]).query;

    test("that was searched for as it was asked, the topic is that one's", () => {
      expect(carried({ question, query: question })).toMatch(/법인카드/);
      expect(carried({ question, query: question })).not.toMatch(/연차|휴가/);
    });

    test.each<[string, Before]>([
      ["was searched for with the topic's words", { question, query: `연차 휴가 ${question}` }],
      ["was searched for elsewhere, nobody knows how", { question }],
      ["was never searched for", { question, query: question, answer: "" }],
      ["points back", { question: "그건 한도가 얼마인가요?", query: "그건 한도가 얼마인가요?" }],
    ])("that %s, it is the first one's still", (_, turn) => {
      expect(carried(turn)).toMatch(/연차|휴가/);
    });
  });

  test("switched off, every question is searched as it is", () => {
    expect(rewritten("그건 언제까지인가요?", [KO], false).query).toBe("그건 언제까지인가요?");
  });
});

test("takes little time, whatever a client says that the conversation was", () => {
  const words = (count: number, seed: number) =>
    Array.from({ length: count }, (_, i) => `낱말${seed}x${i}은`).join(" ");
  const long = Array.from({ length: 8 }, (_, i) => ({ question: words(40_000, i), query: "", answer: words(400, i) }));
  // Whatever is said right before whatever: each may take the place of any.
  const noun = (i: number) =>
    `갑${String.fromCharCode(0xac00 + 28 * i)}${String.fromCharCode(0xac00 + 588 * (i % 19))}석`;
  const nouns = (from: number) => Array.from({ length: 16 }, (_, i) => noun(from + i));
  const contrasts = Array.from({ length: 8 }, (_, turn) => ({
    question: `그럼 ${nouns(16 * turn).join(" ")}은?`,
    query: "",
    answer: nouns(128)
      .flatMap((last) => nouns(16 * turn).map((first) => `${last} ${first}`))
      .join(" "),
  }));
  const started = cpuMs();
  carryOver(`런던은 ${words(300, 9)}`, long);
  carryOver(`그럼 ${nouns(128).join(" ")}은?`, contrasts);
  for (const correction of ["말고 ", "연차 말고 ", "not x but ", "x, not "])
    carryOver(correction.repeat(20_000), contrasts);
  expect(cpuMs() - started).toBeLessThan(1500);
});
