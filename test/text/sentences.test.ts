import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { splitSentences } from "../../src/text/sentences.ts";
import { cpuMs } from "../support/cpu.ts";

const split = (text: string) => splitSentences(text).map((sentence) => sentence.text);

describe("splitSentences", () => {
  test.each([
    [
      "Korean",
      "퇴직금은 언제 받나요? 14일 이내입니다(근로기준법). 네!",
      ["퇴직금은 언제 받나요?", "14일 이내입니다(근로기준법).", "네!"],
    ],
    [
      "numbered entries",
      '다음과 같다. 1. "근로자"란 사람이다.\n  가. 상용직\n② 그 밖',
      ["다음과 같다.", '1. "근로자"란 사람이다.', "가. 상용직", "② 그 밖"],
    ],
    [
      "abbreviations and initials",
      "Dr. Kim met J. Smith at 3.5 p.m. today. Fine.",
      ["Dr. Kim met J. Smith at 3.5 p.m. today.", "Fine."],
    ],
    ["quotes behind the dot", 'He said "Hello." Then he left.', ['He said "Hello."', "Then he left."]],
    ["a wrapped line stays whole", "one line\ngoes on. Next", ["one line\ngoes on.", "Next"]],
    [
      "headings and tables",
      "# Leave\nText\n| a | b |\n| c | d |\nafter",
      ["# Leave", "Text", "| a | b |", "| c | d |", "after"],
    ],
    ["paragraphs", "first\n\nsecond", ["first", "second"]],
    ["dots inside words", "Use app.run() in v1.2.3 now", ["Use app.run() in v1.2.3 now"]],
    ["a one-syllable answer", "네. 알겠습니다.", ["네.", "알겠습니다."]],
    ["a forgotten space", "지급한다.다만 3.5일은 뺀다.", ["지급한다.", "다만 3.5일은 뺀다."]],
    [
      "dates",
      "접수는 2026. 4. 6.부터 2026. 4. 17.까지, 발표는 5. 1. (금)이다. 2026. 12. 15. 이후 시행한다. 2025.1.2. 개정. 끝.",
      [
        "접수는 2026. 4. 6.부터 2026. 4. 17.까지, 발표는 5. 1. (금)이다.",
        "2026. 12. 15. 이후 시행한다.",
        "2025.1.2. 개정.",
        "끝.",
      ],
    ],
    [
      "numbers that end sentences",
      "It closed in 2025. Then 12 came. The share is 3.5. It rose to 12. 30 left. It costs $1299.99. Shipping is free.",
      [
        "It closed in 2025.",
        "Then 12 came.",
        "The share is 3.5.",
        "It rose to 12.",
        "30 left.",
        "It costs $1299.99.",
        "Shipping is free.",
      ],
    ],
    [
      "numbered entries behind numbers",
      "1. 금액은 500. 2. 기간은 3일. 3. 수량은 1500.5. 끝",
      ["1. 금액은 500.", "2. 기간은 3일.", "3. 수량은 1500.5.", "끝"],
    ],
    ["ideographic full stops", "東京です。大阪です。", ["東京です。", "大阪です。"]],
    ["nothing", " \n ", []],
  ])("%s", (_, text, sentences) => {
    expect(split(text)).toEqual(sentences);
  });

  test("offsets cut the sentence out of the text, in order, and only white space is lost", () => {
    const text = fc
      .array(fc.constantFrom("가", "a", "B", ".", "?", "。", " ", "\n", "1", "|", '"', "🙂"))
      .map((a) => a.join(""));
    fc.assert(
      fc.property(text, (source) => {
        const sentences = splitSentences(source);
        for (const { text: sentence, start, end } of sentences) expect(source.slice(start, end)).toBe(sentence);
        expect(
          sentences
            .map((sentence) => sentence.text)
            .join("")
            .replace(/\s/g, ""),
        ).toBe(source.replace(/\s/g, ""));
      }),
    );
  });

  test.each([".", '!"', "。.", "a. ", " .", "\n", "|\n", "가\n", "A", " "])(
    "takes linear time on a megabyte of %j",
    (piece) => {
      const started = cpuMs();
      splitSentences(`${piece.repeat(1_000_000 / piece.length)}x`);
      expect(cpuMs() - started).toBeLessThan(2_000);
    },
  );
});
