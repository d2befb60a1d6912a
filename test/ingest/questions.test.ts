import { expect, test } from "vitest";
import { readDocument } from "../../src/ingest/document.ts";
import { withQuestions } from "../../src/ingest/questions.ts";

const heading = (text: string, depth: number) => ({ kind: "heading", depth, text }) as const;
const text = (said: string) => ({ kind: "text", text: said }) as const;

test.each([
  ["Q1. ", "A1. "],
  ["Q. ", "A. "],
  ["Q: ", "A: "],
  ["Q) ", "A) "],
  ["질문: ", "답변: "],
  ["질문 1. ", "답변 1. "],
  ["문) ", "답) "],
  ["[질문] ", "[답변] "],
  ["【Q】", "【A】"],
])("questions are headings of their answers: %j, %j", (asks, answers) => {
  const source = [
    `자주 묻는 질문\n${asks}VPN이 안 되나요?\n${answers}OTP 앱의 시간을 맞춘다.\n그래도 안 되면 1234로 알린다.`,
    `${asks}주차는 몇 대까지\n되나요?`,
    `${answers}\n1) 1인 1대`,
    "2) 방문객은 따로",
  ];
  const blocks = [heading("안내", 2), ...source.map(text)];
  expect(withQuestions(blocks)).toEqual([
    heading("안내", 2),
    text("자주 묻는 질문"),
    heading(`${asks}VPN이 안 되나요?`.trim(), 3),
    text("OTP 앱의 시간을 맞춘다.\n그래도 안 되면 1234로 알린다."),
    heading(`${asks}주차는 몇 대까지 되나요?`, 3),
    text("1) 1인 1대"),
    text("2) 방문객은 따로"),
  ]);
});

test.each([
  ["choices", ["Q1. 맞는 것은?\nA. 하나\nB. 둘\nQ2. 틀린 것은?\nA. 셋\nB. 넷"]],
  ["one question alone", ["Q. 왜 그런가요?\nA. 그렇게 정했다."]],
  ["questions without answers", ["Q1. 하나?\nQ2. 둘?\nQ3. 셋?\nA. 넷"]],
  ["options", ["A. 서울\nB. 부산\nA. 대구\nB. 인천"]],
  ["words", ["Q.E.D.\nA.I. 도입\nQ.E.D.\nA.I. 활용"]],
  ["a long story", [`Q. ${"가".repeat(300)}\nA. 나\nQ. ${"다".repeat(300)}\nA. 라`]],
])("%s stay as they are", (_, source) => {
  const blocks = source.map(text);
  expect(withQuestions(blocks)).toEqual(blocks);
});

test("of any format", () => {
  const source = "**Q. 연차는 며칠인가요?**\n\nA. 15일이다.\n\n**Q. 병가는 며칠인가요?**\n\nA. 60일이다.";
  const { blocks } = readDocument({ id: "faq", text: source, format: "markdown" });
  expect(blocks).toEqual([
    heading("Q. 연차는 며칠인가요?", 1),
    text("15일이다."),
    heading("Q. 병가는 며칠인가요?", 1),
    text("60일이다."),
  ]);
});

test("a text of labels alone takes milliseconds", () => {
  for (const hostile of ["Q. \n", "Q.\nA.\n", "[Q", "Q 1"]) {
    const began = performance.now();
    withQuestions([text(hostile.repeat(200_000))]);
    expect(performance.now() - began).toBeLessThan(2_000);
  }
});
