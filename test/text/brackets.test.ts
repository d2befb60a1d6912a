import { expect, test } from "vitest";
import { unlikeCitations } from "../../src/text/brackets.ts";

test.each([
  ["용량이 3배 크다고 보고되었다 [2].", "용량이 3배 크다고 보고되었다 [ 2]."],
  ["다만 [3, 14] 참고", "다만 [ 3, 14] 참고"],
  ["return items[1] + items[0] + scores[12]", "return items[ 1] + items[0] + scores[12]"],
  ["[2021] 부산 지사를 열었습니다. [2023-2024]", "[2021] 부산 지사를 열었습니다. [2023-2024]"],
  ["[[1]] [a1] [] [1", "[[ 1]] [a1] [] [1"],
])("%j", (text, quoted) => {
  expect(unlikeCitations(text, 5)).toBe(quoted);
});
