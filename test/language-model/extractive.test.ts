import { describe, expect, test } from "vitest";
import { createStaticEmbedder } from "../../src/adapters/embedder/static.ts";
import { createExtractiveModel } from "../../src/adapters/language-model/extractive.ts";
import { wantedForm } from "../../src/adapters/language-model/wanted.ts";
import { textOf } from "../contract/language-model.ts";
import { call, collect } from "../support/calls.ts";
import { generateRequest } from "../support/requests.ts";

const model = createExtractiveModel({ sentencesMax: 4, embedder: createStaticEmbedder() });
const answer = async (question: string, ...passages: string[]) =>
  textOf(await collect(model.stream(generateRequest(question, passages), call())));

describe("a sentence that announces a table, a list or a command is not quoted without the best of it", () => {
  const lodging = [
    "제3조(숙박비) 숙박비의 상한은 다음 표와 같다.",
    "지역 | 임원 | 사원\n서울 | 200,000원 | 120,000원\n광역시 | 170,000원 | 100,000원",
    "제4조(교통비) KTX는 일반실 요금을 실비로 지급한다.",
  ].join("\n\n");

  test.each([
    ["광역시 숙박비 상한은 얼마인가요?", ["지역: 광역시, 임원: 170,000원, 사원: 100,000원"]],
    [
      "숙박비 상한은 얼마인가요?",
      ["지역: 서울, 임원: 200,000원, 사원: 120,000원", "지역: 광역시, 임원: 170,000원, 사원: 100,000원"],
    ],
  ])("%s", async (question, rows) => {
    const quoted = ["제3조(숙박비) 숙박비의 상한은 다음 표와 같다.", ...rows];
    expect(await answer(question, lodging)).toBe(quoted.map((line) => `${line} [1]`).join("\n"));
  });

  test("a command of two lines stays one", async () => {
    const passage =
      "문제가 생기면 아래 명령으로 직전 버전으로 되돌립니다.\n\nkubectl rollout undo api\nkubectl get pods";
    expect(await answer("직전 버전으로 되돌리는 명령은 무엇인가요?", passage)).toContain(
      "되돌립니다. [1]\nkubectl rollout undo api\nkubectl get pods [1]",
    );
  });
});

describe("a table", () => {
  const fees =
    "과정 | 시간 | 지원율\n안전 | 8시간 | 75%\n■ 외국어 과정\n일본어 | 20시간 | 50%\n※ 수습은 절반만 지원한다.";

  test.each([
    ["안전 과정 지원율은?", "과정: 안전, 시간: 8시간, 지원율: 75% [1]"],
    ["일본어 과정 지원율은?", "과정: 일본어, 시간: 20시간, 지원율: 50% [1]"],
    ["수습은 얼마나 지원하나요?", "※ 수습은 절반만 지원한다. [1]"],
  ])("that a row of one cell cuts keeps its columns: %s", async (question, said) => {
    expect((await answer(question, fees)).split("\n")).toContain(said);
  });

  test.each([
    ["병가는 며칠인가요?", "병가, 60일"],
    ["연차는 며칠인가요?", "연차, 15일"],
  ])("may have no header, as its first line has the others' units: %s", async (question, row) => {
    expect(await answer(question, "연차 | 15일\n병가 | 60일\n공가 | 10일")).toBe(`${row} [1]`);
  });

  const condolences =
    "구분 | 가족 | 휴가\n결혼 | 자녀 | 1일\n결혼 | 형제 | 1일\n사망 | 부모 | 5일\n사망 | 조부모 | 3일\n사망 | 자녀 | 4일";

  test.each([
    ["사망 부모 휴가는?", ["구분: 사망, 가족: 부모, 휴가: 5일"]],
    ["자녀 결혼 휴가는?", ["구분: 결혼, 가족: 자녀, 휴가: 1일"]],
    ["자녀 결혼과 형제 결혼 휴가는?", ["구분: 결혼, 가족: 자녀, 휴가: 1일", "구분: 결혼, 가족: 형제, 휴가: 1일"]],
    ["1일 휴가를 주는 결혼은?", ["구분: 결혼, 가족: 자녀, 휴가: 1일", "구분: 결혼, 가족: 형제, 휴가: 1일"]],
  ])("is quoted without the rows that hold less of the question: %s", async (question, rows) => {
    expect(await answer(question, condolences)).toBe(rows.map((row) => `${row} [1]`).join("\n"));
  });

  test.each([
    [
      "병실 | 요금 | 비고\n1인실 | 35만원 | 건강보험이 적용되지 않음\n2인실 | 8만원 | 건강보험 적용",
      "건강보험이 적용되는 병실은?",
      ["병실: 1인실, 요금: 35만원, 비고: 건강보험이 적용되지 않음", "병실: 2인실, 요금: 8만원, 비고: 건강보험 적용"],
    ],
    [
      "Event | Leave\nWedding | 5 days\nMoving house | 1 day",
      "How many days of leave are there?",
      ["Event: Wedding, Leave: 5 days", "Event: Moving house, Leave: 1 day"],
    ],
  ])("is quoted with rows that say a word in another form: %#", async (table, question, rows) => {
    expect(await answer(question, table)).toBe(rows.map((row) => `${row} [1]`).join("\n"));
  });

  const leave = "근속 | 휴가\n1년 이상 3년 미만 | 15일\n3년 이상 5년 미만 | 16일\n5년 이상 | 17일";

  test.each([
    ["4년 다녔는데 휴가 며칠이에요?", ["근속: 3년 이상 5년 미만, 휴가: 16일"]],
    ["6년차 휴가는 며칠인가요?", ["근속: 5년 이상, 휴가: 17일"]],
    ["2년차와 6년차의 휴가 차이는?", ["근속: 1년 이상 3년 미만, 휴가: 15일", "근속: 5년 이상, 휴가: 17일"]],
    ["2026년 기준으로 4년차 휴가는 며칠인가요?", ["근속: 3년 이상 5년 미만, 휴가: 16일"]],
    [
      "휴가는 1년에 며칠인가요?",
      ["근속: 1년 이상 3년 미만, 휴가: 15일", "근속: 3년 이상 5년 미만, 휴가: 16일", "근속: 5년 이상, 휴가: 17일"],
    ],
    [
      "휴가는 며칠인가요?",
      ["근속: 1년 이상 3년 미만, 휴가: 15일", "근속: 3년 이상 5년 미만, 휴가: 16일", "근속: 5년 이상, 휴가: 17일"],
    ],
  ])("is quoted by the row whose range holds the amount: %s", async (question, rows) => {
    expect(await answer(question, leave)).toBe(rows.map((row) => `${row} [1]`).join("\n"));
  });

  test("of single amounts is not told apart by one that is compared", async () => {
    const table = "서류 | 보관\n계약서 | 10년\n영수증 | 5년\n회의록 | 3년";
    expect(await answer("5년 이상 보관하는 서류는?", table)).toContain("서류: 계약서, 보관: 10년 [1]");
    expect(await answer("5년이 넘게 보관하는 서류는?", table)).toContain("서류: 계약서, 보관: 10년 [1]");
    expect(await answer("5년 보관하는 서류는?", table)).toBe("서류: 영수증, 보관: 5년 [1]");
  });

  test("is quoted by the row whose range holds it in another unit", async () => {
    const table = "계약 | 위약금\n6개월 이상 1년 미만 | 10%\n1년 이상 2년 미만 | 8%\n2년 이상 | 5%";
    expect(await answer("18개월 계약 위약금은?", table)).toBe("계약: 1년 이상 2년 미만, 위약금: 8% [1]");
  });

  test("keeps the rows of another column that holds the amount", async () => {
    const table = "근속 | 휴가 | 보존\n1년 이상 3년 미만 | 15일 | 5년 이상\n3년 이상 | 16일 | 1년 미만";
    expect(await answer("4년차 휴가는 며칠인가요?", table)).toBe("근속: 3년 이상, 휴가: 16일, 보존: 1년 미만 [1]");
  });

  test("is asked for a number with its unit", async () => {
    const measures = "횟수 | 조치\n위반 1회 | 경고, 교육 2시간\n위반 2회 | 시말서 제출\n위반 3회 | 인사위원회 회부";
    expect(await answer("위반 2회면 어떻게 되나요?", measures)).toBe("횟수: 위반 2회, 조치: 시말서 제출 [1]");
  });

  test("is no list of commands that pipe", async () => {
    const commands = "kubectl get pods | grep api\nkubectl describe pod api\nkubectl logs api | tail -n 20";
    const said = await answer("파드를 확인하는 명령은 무엇인가요?", `파드는 아래 명령으로 확인합니다.\n\n${commands}`);
    expect(said).toContain(`${commands} [1]`);
  });

  test("is quoted whatever its length", async () => {
    const branches = Array.from({ length: 40 }, (_, n) => `${n}지점 | 서울시 강남구 ${n}로 | 02-555-${1000 + n}`);
    const passage = ["지점 | 주소 | 대표전화", "■ 영업 지점", ...branches].join("\n");
    const said = await answer("17지점 대표전화는?", passage);
    expect(said).toContain("지점: 17지점, 주소: 서울시 강남구 17로, 대표전화: 02-555-1017 [1]");
  });

  test("names the columns of a row whose last cells are empty", async () => {
    const cities = "도시 | 등급 | 숙박비 | 비고\n하노이 | 라 | 110 | 비자 필요\n오사카 | 나 | 160";
    expect(await answer("오사카 숙박비는?", cities)).toContain("도시: 오사카, 등급: 나, 숙박비: 160 [1]");
  });

  test("names no column of a row that has more or fewer cells than the head", async () => {
    const gifts = "구분 | 경조 사유 | 휴가 | 경조금\n사망 | 배우자 | 7일 | 200만원\n조부모 | 3일 | 30만원";
    expect(await answer("조부모 휴가는 며칠인가요?", gifts)).toContain("조부모, 3일, 30만원 [1]");
  });
});

describe("a question for an amount or a time is answered by a sentence that holds one", () => {
  const leave = [
    "제21조(연차유급휴가) ① 회사는 1년간 80퍼센트 이상 출근한 사원에게 16일의 유급휴가를 준다.",
    "② 연차휴가는 반차 또는 반반차로 나누어 사용할 수 있다.",
    "③ 연차휴가는 사용하기 전에 신청한다.",
  ].join("\n\n");
  const locker =
    "Every employee may rent a locker.\n\nRenting a locker costs 20,000 won.\n\nA rented locker is emptied when it is left.";

  test.each([
    ["연차휴가는 며칠인가요?", leave, "16일"],
    ["연차휴가는몇일", leave, "16일"],
    ["연차휴가는 몇 퍼센트 출근해야 주나요?", leave, "80퍼센트"],
    ["How much is the rent of a locker?", locker, "20,000 won"],
  ])("%s", async (question, passage, said) => {
    expect(await answer(question, passage)).toContain(said);
  });

  test.each([
    ["몇 명이 참석하나요?", "12명이 참석한다.", "12시에 참석한다."],
    ["언제 시작해요?", "매년 3월에 시작한다.", "3명이 시작한다."],
    ["When does it start?", "It starts on Mondays in 2026.", "It starts with three people."],
    ["회비는 얼마예요?", "회비는 5천 원이다.", "회비는 총무에게 낸다."],
    ["얼마나 자주 백업하나요?", "매일 새벽에 백업한다.", "백업은 30일 보관한다."],
    ["얼마나 자주 백업하나요?", "6시간마다 백업한다.", "백업은 30일 보관한다."],
    ["When I am sick, how many days are paid?", "Three days are paid.", "Pay comes at the end of the month."],
    ["How often is it paid?", "It is paid monthly.", "It is paid by card."],
  ])("%s", (question, right, wrong) => {
    const form = wantedForm(question);
    expect([form?.test(right), form?.test(wrong)]).toEqual([true, false]);
  });

  test("others want none", () => {
    expect(wantedForm("담당자는 누구인가요?")).toBeNull();
  });
});

test("brackets of the documents stay, and none of them reads as a citation", async () => {
  const founded = "[2019] 한빛을 설립하였습니다.\n\n[2021] 부산 지사를 열었습니다 [2].";
  const said = await answer("부산 지사는 몇 년에 열었나요?", founded, "주차장은 지하에 있습니다.");
  expect(said.split("\n")).toContain("[2021] 부산 지사를 열었습니다 [ 2]. [1]");
});

describe("what the reader asks with comes before what the turns before were about", () => {
  const leave = [
    "# 연차휴가\n\n1년 이상 근무한 직원은 15일의 연차휴가를 받습니다.\n\n연차휴가는 사용 3일 전까지 신청합니다.",
    "# 병가\n\n병가는 연간 최대 30일까지 사용할 수 있습니다.",
  ];
  const lodging = [
    "출장 숙박비는 하루 150달러입니다.\n\n뉴욕 출장 숙박비는 300달러입니다.",
    "출장은 3일 전에 신청합니다.",
  ];
  const followUp = async (carried: string, question: string, passages: readonly string[]) =>
    textOf(
      await collect(model.stream({ ...generateRequest(question, passages), query: `${carried} ${question}` }, call())),
    );

  test("a follow-up quotes what holds its own word", async () => {
    const said = await followUp("연차휴가 신청", "그럼 병가는요?", leave);
    expect(said).toBe("병가는 연간 최대 30일까지 사용할 수 있습니다. [2]");
  });

  test.each(["파리는?", "그럼 파리는요?", "What about Paris?"])(
    "what no passage names is not known: %s",
    async (question) => {
      expect(await followUp("뉴욕 출장 숙박비", question, lodging)).toMatch(/찾지 못했습니다|I don't know/);
    },
  );

  test("a row of what the turns before were about is not quoted beside it", async () => {
    const table = "지역 | 하루 요금\n일본 | 9,900원\n중국 | 9,500원\n미국 | 13,000원";
    expect(await followUp("일본 하루", "미국은?", [table])).toBe("지역: 미국, 하루 요금: 13,000원 [1]");
  });

  test("an amount of the turns before is none of a question that compares with another", async () => {
    const table = "근속 | 휴가\n1년 이상 3년 미만 | 15일\n3년 이상 5년 미만 | 16일\n5년 이상 | 17일";
    expect(await followUp("근속 2년 휴가", "그럼 5년 이상은요?", [table])).toContain("근속: 5년 이상, 휴가: 17일 [1]");
  });

  test("an amount that a row's range holds is known", async () => {
    const table =
      "인원 | 회의실 | 요금\n5명 이하 | 소회의실 | 5천원\n6명 이상 30명 이하 | 중회의실 | 1만원\n31명 이상 | 강당 | 5만원";
    const said = await followUp("회의실 요금", "그럼 40명은요?", [table]);
    expect(said).toBe("인원: 31명 이상, 회의실: 강당, 요금: 5만원 [1]");
  });

  test("a question after its reasons in words of its own is no other thing", async () => {
    expect(await followUp("뉴욕 출장 숙박비", "넘으면 어떻게 처리돼요?", lodging)).toContain("300달러");
  });

  test("nor is a question in another language than the documents'", async () => {
    expect(await followUp("병가 sick leave", "How many days?", leave)).toContain("30일");
  });

  test("what is told before the question is not asked", async () => {
    const question = "안녕하세요. 작년에 연차휴가를 다 써서 고생했습니다. 병가는 며칠까지 쓸 수 있나요?";
    expect(await answer(question, ...leave)).toBe("병가는 연간 최대 30일까지 사용할 수 있습니다. [2]");
  });

  test("a question that points at what was told is about that", async () => {
    const said = await answer("병가는 연간 30일까지라고 들었습니다. 맞나요?", ...leave);
    expect(said.split("\n")[0]).toBe("병가는 연간 최대 30일까지 사용할 수 있습니다. [2]");
  });
});

describe("a number that names another of the kind that the passages tell of", () => {
  const told = [
    "2024년 매출은 1,510억 원입니다.\n\n2025년 매출은 1,780억 원입니다.",
    "H50의 물통 용량은 4리터입니다.\n\nE3007은 인증서 오류입니다.",
    "제4조(손해배상) 을은 갑에게 위약벌을 지급한다.\n\nSection 3 limits the liability.",
  ];

  test.each([
    "2022년 매출은 얼마인가요?",
    "H60 물통 용량은?",
    "E3009 오류는 뭐예요?",
    "제7조의 위약벌은?",
    "What does section 4 limit?",
  ])("is not answered: %s", async (question) => {
    expect(await answer(question, ...told)).toMatch(/찾지 못했습니다|I don't know/);
  });

  test.each([
    ["2025년 매출은 얼마인가요?", "1,780억"],
    ["아니, 2022년 말고 2025년 매출은 얼마인가요?", "1,780억"],
    ["2025년 매출이 2000 억 원인가요?", "1,780억"],
    ["H-50 물통 용량은?", "4리터"],
    ["물통 용량이 5리터인가요?", "4리터"],
    ["2026년 5월 1일에 쓸 물통의 용량은?", "4리터"],
    ["제 4조의 위약벌은?", "제4조(손해배상)"],
    ["What does section 3 limit?", "Section 3 limits the liability."],
  ])("is told from the same and from an amount: %s", async (question, said) => {
    expect(await answer(question, ...told)).toContain(said);
  });
});

describe("where a title holds what the question names, other passages are quoted for what that one lacks", () => {
  const subjects = [
    ["B200 모니터 안내", "보증기간은 구매일로부터 1년입니다.\n\n배송은 5일 걸립니다."],
    ["A100 노트북 안내", "보증기간은 구매일로부터 2년입니다.\n\n배송은 3일 걸립니다."],
    ["배터리 안내", "배터리의 보증기간은 6개월입니다."],
  ] as const;
  const request = (question: string) => {
    const made = generateRequest(
      question,
      subjects.map(([, text]) => text),
    );
    return { ...made, sources: made.sources.map((source, i) => ({ ...source, title: subjects[i]?.[0] ?? "" })) };
  };

  test.each([
    ["B200 보증기간은?", ["1년"]],
    ["모니터 보증기간은 얼마인가요?", ["1년"]],
    ["A100과 B200의 보증기간 차이는?", ["1년", "2년"]],
    ["보증기간은 얼마인가요?", ["1년", "2년", "6개월"]],
    ["A100 배터리의 보증기간은?", ["2년", "6개월"]],
  ])("%s", async (question, said) => {
    const text = textOf(await collect(model.stream(request(question), call())));
    expect(["1년", "2년", "6개월"].filter((time) => text.includes(time))).toEqual(said);
  });
});

describe("rows or items that the question does not tell apart are quoted together", () => {
  const branches = (count: number) => Array.from({ length: count }, (_, n) => `${n}지점 | 02-555-${1000 + n}`);
  const table = (count: number) =>
    ["지점의 전화번호는 지점마다 다릅니다.", ["지점 | 전화번호", ...branches(count)].join("\n")].join("\n\n");

  test("a table", async () => {
    const said = await answer("지점별 전화번호를 알려 주세요", table(9));
    expect(said.match(/02-555-\d+/g)).toHaveLength(9);
  });

  test("a list", async () => {
    const items = ["Python", "Rust", "Go", "Kotlin", "Swift", "SQL"].map(
      (name, i) => `- ${name} seminar: ${i + 1}00 dollars`,
    );
    const said = await answer("How much is a seminar?", `Seminar prices\n\n${items.join("\n")}`);
    expect(said.match(/\d00 dollars/g)).toHaveLength(6);
  });

  test("an ellipsis stands for those that are too many", async () => {
    const lines = (await answer("지점별 전화번호를 알려 주세요", table(30))).split("\n");
    expect(lines.filter((line) => line === "… [1]")).toHaveLength(1);
    expect(lines.filter((line) => line.includes("02-555-")).length).toBeLessThanOrEqual(24);
  });

  test("the one that is asked for does not bring the others along", async () => {
    const said = await answer("17지점 전화번호는?", table(30));
    expect(said).toContain("지점: 17지점, 전화번호: 02-555-1017 [1]");
    expect(said).not.toContain("02-555-1029");
  });
});

describe("lines", () => {
  const minutes =
    "2026년 4월 플랫폼팀 회의\n\n■ 개최\n일시: 2026. 4. 8.(수) 10:00\n장소: 7층 회의실 B\n\n이관은 4월 20일에 한다\n예산은 5월에 다시 정한다\n\n차기 회의: 2026. 4. 15.(수) 11:00, 회의실 C";

  test.each([
    ["차기 회의는 언제인가요?", "차기 회의: 2026. 4. 15.(수) 11:00, 회의실 C [1]"],
    ["예산은 언제 다시 정하나요?", "예산은 5월에 다시 정한다 [1]"],
  ])("say something of their own, also where one stands alone: %s", async (question, said) => {
    const lines = (await answer(question, minutes)).split("\n");
    expect(lines).toContain(said);
    expect(lines.join(" ")).not.toContain("이관은");
  });

  test("that name what they say, one below another, are quoted together", async () => {
    const said = "■ 개최\n일시: 2026. 4. 8.(수) 10:00\n장소: 7층 회의실 B [1]";
    expect(await answer("플랫폼팀 회의 장소는 어디인가요?", minutes)).toContain(said);
  });

  test.each([
    ["[김철수] [오전 9:10]", "[이영희] [오전 9:12]", "[박민수] [오전 9:13]"],
    ["2026년 4월 8일 오전 9:10, 김철수 :", "2026년 4월 8일 오전 9:12, 이영희 :", "2026년 4월 9일 오후 2:30, 박민수 :"],
  ])("of a chat: a question with its reply, and nothing behind that: %s", async (asks, replies, goesOn) => {
    const chat = `${asks} 법인카드 한도가 얼마인가요?\n${replies} 월 200만원이에요\n출장 때는 따로 올려 줍니다\n${goesOn} 워크숍은 강릉에서 합니다`;
    expect(await answer("법인카드 한도는 얼마인가요?", chat)).toBe(
      `${asks} 법인카드 한도가 얼마인가요? [1]\n${replies} 월 200만원이에요 [1]\n출장 때는 따로 올려 줍니다 [1]`,
    );
  });

  test("below a head are quoted with it", async () => {
    const manual =
      "NAME\n    ragtool - index documents\n\nEXIT STATUS\n    0  done\n    1  some files were not read\n\n■ 근무지\n본사 7층\n판교 3층";
    expect(await answer("What is the exit status?", manual)).toBe(
      "EXIT STATUS [1]\n0 done [1]\n1 some files were not read [1]",
    );
    expect(await answer("근무지는 어디인가요?", manual)).toBe("■ 근무지 [1]\n본사 7층 [1]\n판교 3층 [1]");
  });

  test("of a table without a head, as their numbers have the others' form", async () => {
    const contacts = "보안팀 | 김보안 | 02-111-2222\n인사팀 | 이인사 | 02-333-4444";
    expect(await answer("보안팀 연락처는 무엇인가요?", contacts)).toBe("보안팀, 김보안, 02-111-2222 [1]");
  });

  test("a cell that is empty is not quoted", async () => {
    const ranks = "직급 | 정년 | 비고\n부장 | 60세 | \n고문 | 65세 | 촉탁";
    expect(await answer("부장 정년은 몇 세인가요?", ranks)).toBe("직급: 부장, 정년: 60세 [1]");
  });
});
