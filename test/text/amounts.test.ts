import { expect, test } from "vitest";
import { amountsOf, standingIn } from "../../src/text/amounts.ts";
import { cpuMs } from "../support/cpu.ts";

test.each([
  ["4년 다녔는데 연차는 며칠인가요?", [{ value: 4, unit: "년" }]],
  ["6년차인데 며칠이에요?", [{ value: 6, unit: "년" }]],
  ["3천만원짜리 장비는 누가 결재하나요?", [{ value: 30_000_000, unit: "원" }]],
  ["백만원짜리 의자", [{ value: 1_000_000, unit: "원" }]],
  ["50,000원이면 되나요?", [{ value: 50_000, unit: "원" }]],
  ["4번 위반하면?", [{ value: 4, unit: "회" }]],
  ["2억 5천만원이면?", [{ value: 250_000_000, unit: "원" }]],
  ["2천5백만원짜리", [{ value: 25_000_000, unit: "원" }]],
  ["3만 5천원", [{ value: 35_000, unit: "원" }]],
  ["이천만원짜리 차", [{ value: 20_000_000, unit: "원" }]],
  ["만원이면 되나요?", [{ value: 10_000, unit: "원" }]],
  ["만 19세인데요", [{ value: 19, unit: "세" }]],
  ["1년 6개월 다녔는데", [{ value: 1.5, unit: "년" }]],
  ["1시간 30분 주차", [{ value: 1.5, unit: "시간" }]],
  ["3년차와 6년차 비교", [3, 6].map((value) => ({ value, unit: "년" }))],
  ["4년 말고 6년이면?", [{ value: 6, unit: "년" }]],
  ["５０，０００원", [{ value: 50_000, unit: "원" }]],
  ["2024년 3월 5일 오후 3시 30분", []],
  ["수백만원이면?", []],
  ["제3회 대회", []],
  ["1588-7300번", []],
  ["3분기에 27인치 4세대 2인실 3회의실", []],
  ["1년에 며칠 쉬나요?", []],
  ["1년 미만은?", []],
  ["5천만원을 넘으면?", []],
  ["1년 안 됐는데", []],
  ["3일 전까지 신청하나요?", []],
])("the amounts of %j", (question, amounts) => {
  expect(amountsOf(question)).toEqual(amounts);
});

test.each([
  ["3년 이상 5년 미만", "4년", "holds"],
  ["3년 이상 5년 미만", "3년", "holds"],
  ["3년 이상 5년 미만", "5년", "others"],
  ["7년 이상 9년 미만", "6년", "others"],
  ["1천만원 초과 5천만원 이하", "5천만원", "holds"],
  ["1천만원 초과 5천만원 이하", "천만원", "others"],
  ["1년 6개월 이상", "1년", "others"],
  ["1년 6개월 이상", "2년", "holds"],
  ["1억 5천만원 이상", "2억원", "holds"],
  ["1억 5천만원 이상", "1억 2천만원", "others"],
  ["3~5년", "4년", "holds"],
  ["3~5년", "6년", "others"],
  ["30분~1시간", "20분", "others"],
  ["3회 이상", "4번", "holds"],
  ["2회", "2번", "holds"],
  ["2회", "4회", "others"],
  ["대표이사", "4회", "none"],
  ["3년 이상", "4개월", "others"],
  ["3년 이상", "4일", "none"],
  ["6개월 이상 1년 미만", "18개월", "others"],
  ["1년 이상 2년 미만", "18개월", "holds"],
  ["1년 미만 또는 10년 이상", "12년", "holds"],
  ["1년 미만 또는 10년 이상", "5년", "others"],
])("%j and %j: %s", (text, amount, range) => {
  const [asked] = amountsOf(amount);
  expect(asked && standingIn(text)(asked)).toBe(range);
});

test.each(["1,", "1 ", "1~", "일백이천", "백 만 ", "제 "])("takes little time for %j without end", (text) => {
  const started = cpuMs();
  expect(amountsOf(text.repeat(100_000))).toEqual([]);
  expect(cpuMs() - started).toBeLessThan(1_000);
});

test("are eight of a question at most", () => {
  expect(amountsOf(Array.from({ length: 20 }, (_, n) => `${n}년`).join(" "))).toHaveLength(8);
});
