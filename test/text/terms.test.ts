import { expect, test } from "vitest";
import { termsOf } from "../../src/text/terms.ts";

test.each([
  ["육아휴직은 언제 신청하나요?", ["육아휴직", "신청"]],
  ["언제 신청해?", ["신청"]],
  ["담당자는 누구야?", ["담당자"]],
  ["정기 주차권은 얼마야?", ["정기", "주차권"]],
  ["연구분야는 뭐야?", ["연구분야"]],
  ["E3007이 뭐야?", ["e3007"]],
  ["CISO한테 언제 보고해?", ["ciso", "보고"]],
  ["비밀번호 규칙이 뭐냐", ["비밀번호", "규칙"]],
  ["며칠 쉴 수 있냐", []],
  ["지금 신청하냐?", ["신청"]],
  ["E3007임?", ["e3007"]],
  ["얼마인데?", []],
  ["몇 명부터 가능한가요?", []],
  ["3일은 며칠인가요?", ["3일은"]],
  ["How many days of annual leave do we get?", ["days", "annual", "leave"]],
])("%s", (question, words) => {
  expect(termsOf(question).map(({ word }) => word)).toEqual(words);
});
