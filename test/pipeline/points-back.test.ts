import { describe, expect, test } from "vitest";
import { meansThere, refersBack, standsAlone } from "../../src/pipeline/points-back.ts";
import { cpuMs } from "../support/cpu.ts";

describe("a question points back", () => {
  test.each([
    ..."그건 언제까지인가요?|그거예요?|이것도 되나요?|(그때까지는?)|이 경우에는 얼마예요?|이때부터 되나요?|그 예외는?|이를 어기면?".split(
      "|",
    ),
    ..."거기 일비는?|여기서는 얼마예요?|위의 표에서 합계는?|방금 말한 규정은?|이중에서 뭐가 싸요?|그중 제일 싼 건?".split(
      "|",
    ),
    ..."왜?|왜요?|또 있나요?|그럼병가는요|기한은요?|다른 방법은?|임산부는?|수습도 되나요?".split("|"),
    ..."What about it?|CAN I GET IT TOMORROW?|Is it free?|How long does it take?|Is it possible to carry it over?".split(
      "|",
    ),
  ])("%j", (question) => {
    expect(refersBack(question)).toBe(true);
  });
});

describe("a word that begins or ends like a demonstrative is none", () => {
  test.each([
    ..."급여기준은 무엇인가요?|대여기간은 며칠인가요?|참여기업 모집은 언제인가요?|과거기록 열람은 어떻게 하나요?|선거기간은 언제인가요?".split(
      "|",
    ),
    ..."단위의 표기 기준은?|행위의 취소 기간은?|범위의 예외 조항은?|이의 신청은 언제까지 하나요?|이중 취업은 가능한가요?".split(
      "|",
    ),
    ..."이만 원 이하 영수증은?|왜곡 광고 기준은?|또래상담 신청은?|혹시 그룹웨어 접속 방법은?|저는 며칠인가요?".split(
      "|",
    ),
    ..."IT지원팀 내선 번호는 몇 번인가요?|it 지원팀 전화번호가 뭐예요?|How do I contact IT support?".split("|"),
    ..."How long does it take to get a refund?|Is it allowed to bring pets into the office?|Is there a gym?".split("|"),
  ])("%j", (question) => {
    expect(refersBack(question)).toBe(false);
  });
});

test("거기 and there mean what was named last, 과거기록 does not", () => {
  expect(["거기 일비는?", "거기서는?", "how much is it there?"].map(meansThere)).toEqual([true, true, true]);
  expect(["과거기록은?", "Is there a gym?"].map(meansThere)).toEqual([false, false]);
});

test.each(["그", "이것", "급여기", "왜", "it ", "is it ", "는요 ", "말고", "not "])(
  "takes little time for many times %j",
  (word) => {
    const started = cpuMs();
    standsAlone(word.repeat(300_000 / word.length));
    expect(cpuMs() - started).toBeLessThan(1000);
  },
);
