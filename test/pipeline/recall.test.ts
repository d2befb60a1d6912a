import { expect, test } from "vitest";
import { recall } from "../../src/pipeline/recall.ts";
import type { Turn } from "../../src/types.ts";
import { call } from "../support/calls.ts";
import { emptySession, fakeStages, questionOf } from "../support/stages.ts";

function turn(number: number, question: string, answer: string): Turn {
  const words = { question, query: question, answer };
  return { number, short: false, requestId: `${number}`, ...words, status: "complete", tokens: 1, at: "" };
}

test("of many older turns that fit, eight come, those that hold most of the question's words first", async () => {
  const answers = ["월 주차 정기권 요금입니다.", "정기권 신청입니다.", "셔틀 안내입니다."];
  const older = Array.from({ length: 30 }, (_, i) => turn(i + 1, `질문 ${i}`, answers[Math.min(2, i % 3)] ?? ""));
  const session = { ...emptySession("s"), summarizedTurns: 30, summary: "주차를 물었다." };
  const question = "주차 정기권 요금은 얼마인가요?";
  const asked = questionOf({ question, history: [] });
  const past = await recall(fakeStages(), asked, { session, older }, { query: question, vector: null }, call());
  const numbers = past.older.map(({ number }) => number);
  expect(numbers).toHaveLength(8);
  expect(numbers).toEqual([1, 4, 7, 10, 13, 16, 19, 22]);
});
