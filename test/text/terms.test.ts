import { expect, test } from "vitest";
import { termsOf } from "../../src/text/terms.ts";
import { cpuMs } from "../support/cpu.ts";

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
  ["사외이사 비율 알려주세요", ["사외이사", "비율"]],
  ["사외이사 비율이 어떻게 돼요?", ["사외이사", "비율"]],
  ["사외이사 비율에 관해서 말씀해 주실 수 있을까요?", ["사외이사", "비율"]],
  ["PR 200줄도 괜찮아요?", ["pr", "200줄도"]],
  ["비번은 몇번까지 틀려도 돼요?", ["비번", "틀려"]],
  ["퇴직하기 며칠 전에 알려야 하나요?", ["퇴직하기", "알려야"]],
  ["보고서는 언제까지 써야 돼요?", ["보고서"]],
  ["주차와 하계 휴가가 되는지 궁금합니다", ["주차", "하계", "휴가"]],
  ["3일은 며칠인가요?", ["3일은"]],
  ["How many days of annual leave do we get?", ["days", "annual", "leave"]],
])("%s", (question, words) => {
  expect(termsOf(question).map(({ word }) => word)).toEqual(words);
});

test("takes little time for words of any length", () => {
  const started = cpuMs();
  for (let i = 0; i < 40; i++) termsOf(Array(5).fill("은".repeat(16_000)).join(" "));
  expect(cpuMs() - started).toBeLessThan(2000);
});
