import { expect, test } from "vitest";
import { amountsOf, rangeOf } from "../../src/text/amounts.ts";
import { cpuMs } from "../support/cpu.ts";

test.each([
  ["4년 다녔는데 연차는 며칠인가요?", [{ value: 4, unit: "년" }]],
  ["6년차인데 며칠이에요?", [{ value: 6, unit: "년" }]],
  ["3천만원짜리 장비는 누가 결재하나요?", [{ value: 30_000_000, unit: "원" }]],
  ["백만원짜리 의자", [{ value: 1_000_000, unit: "원" }]],
  ["50,000원이면 되나요?", [{ value: 50_000, unit: "원" }]],
  ["4번 위반하면?", [{ value: 4, unit: "회" }]],
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
  ["3회 이상", "4번", "holds"],
  ["2회", "4회", "others"],
  ["대표이사", "4회", "none"],
  ["3년 이상", "4개월", "none"],
])("%j and %j: %s", (text, amount, range) => {
  const [asked] = amountsOf(amount);
  expect(asked && rangeOf(text, asked)).toBe(range);
});

test("takes little time for digits without end", () => {
  const started = cpuMs();
  expect(amountsOf("1,".repeat(100_000))).toEqual([]);
  expect(cpuMs() - started).toBeLessThan(1_000);
});
