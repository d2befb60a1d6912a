import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CitationFilter } from "../../src/pipeline/citations.ts";
import { cpuMs } from "../support/cpu.ts";

function filtered(passages: number, deltas: readonly string[]): string {
  const filter = new CitationFilter(passages);
  return deltas.map((delta) => filter.push(delta)).join("") + filter.end();
}

/** The numbers that a reader would take for citations. */
function cited(text: string): number[] {
  const citations = text
    .normalize("NFKC")
    .replaceAll("【", "[")
    .replaceAll("】", "]")
    .matchAll(/\[\s*(\d+(?:\s*[–-]\s*\d+)?(?:\s*[,;]\s*\d+(?:\s*[–-]\s*\d+)?)*)\s*\]/g);
  return [...citations].flatMap(([, inside = ""]) => inside.split(/[,;–-]/).map(Number));
}

describe("citations", () => {
  test.each([
    ["연차는 15일입니다 [1].", "연차는 15일입니다 [1]."],
    ["연차는 15일입니다 [9].", "연차는 15일입니다."],
    ["a [2, 9] b", "a [2] b"],
    ["a [1-3] b", "a [1][2][3] b"],
    ["a [4–9] b", "a [4][5] b"],
    ["a [0] b", "a b"],
    ["a [007] b", "a b"],
    ["a [1][9][2] b", "a [1][2] b"],
    ["a [1; 2] b", "a [1][2] b"],
    ["a [ 3 ] b", "a [3] b"],
    ["[9] starts", " starts"],
    ["a [1-999999999999] b", "a [1][2][3][4][5] b"],
    ["[link](http://x) [x] [] [ ] [a1]", "[link](http://x) [x] [] [ ] [a1]"],
    ["a [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2] b", "a [1][2][3][4][5] b"],
    ["연차는【2】 15일【9】입니다", "연차는[2] 15일입니다"],
    ["a ［３］ b ［９］ c", "a [3] b c"],
    ["a [７] b [２，９] c 【1、2】", "a b [2] c [1][2]"],
    ["a [7†source] b [2†source] c 【3†L1-L9】", "a b [2] c [3]"],
    ["a [출처 7] b [출처 2] c [출처: 1, 출처 9]", "a b [2] c [1]"],
    ["a [Source 7] b [passages 1-2] c", "a b [1][2] c"],
    [
      "[출처] [source](http://x) 【공지】 [p. 3] [#3] [1:2] [sort 9]",
      "[출처] [source](http://x) 【공지】 [p. 3] [#3] [1:2] [sort 9]",
    ],
    ["[[7]] x", " x"],
    ["a [[7]] b [[1]] c 【[8]】.", "a b [[1]] c."],
    ["ends open 【출", "ends open 【출"],
    ["ends open [1", "ends open [1"],
    ["ends open [", "ends open ["],
  ])("%j becomes %j", (text, expected) => {
    expect(filtered(5, [text])).toBe(expected);
    expect(filtered(5, [...text])).toBe(expected);
  });

  test("one that goes leaves no other behind", () => {
    for (const text of ["[[9]9]", "[8[9]]", "[[[9]9]9]", "[1,[9]8]", "[ [9] 9]"]) {
      for (const deltas of [[text], [...text]]) expect(cited(filtered(5, deltas)).filter((n) => n > 5)).toEqual([]);
    }
  });

  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(
        "[",
        "]",
        "[1]",
        "[2]",
        "[9]",
        "[12]",
        " ",
        "\t",
        ",",
        "-",
        "–",
        ";",
        "\n",
        "1",
        "3",
        "42",
        "가",
        "a.",
        "[1, 9]",
        "🏝️",
        "【",
        "】",
        "［",
        "］",
        "７",
        "，",
        "출처 ",
        "출",
        "source",
        "s",
        "†s",
        "[[9]]",
        "【9】",
      ),
      fc.string({ maxLength: 3 }),
      fc.nat({ max: 20 }).map((n) => `[${n}]`),
    ),
    { maxLength: 14 },
  );
  const passages = fc.nat({ max: 12 });

  test("no citation beyond the passages survives, however it is split", () => {
    fc.assert(
      fc.property(pieces, passages, (deltas, count) => {
        for (const n of cited(filtered(count, deltas))) {
          expect(n).toBeGreaterThanOrEqual(1);
          expect(n).toBeLessThanOrEqual(count);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("every valid citation survives, and the text around it", () => {
    const word = fc.constantFrom("연차는", "15일", "annual", "leave.", "🏝️", "(참고)", "100%");
    const parts = fc.array(fc.tuple(word, fc.option(fc.integer({ min: 1, max: 12 }), { nil: null })), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(parts, fc.nat(), (said, seed) => {
        const text = said.map(([before, n]) => (n === null ? before : `${before} [${n}]`)).join(" ");
        const out = filtered(12, splitAt(text, seed));
        expect(out).toBe(text);
        expect(cited(out)).toEqual(said.flatMap(([, n]) => (n === null ? [] : [n])));
      }),
      { numRuns: 500 },
    );
  });

  test("splitting changes nothing", () => {
    fc.assert(
      fc.property(pieces, passages, fc.nat(), (deltas, count, seed) => {
        const text = deltas.join("");
        const whole = filtered(count, [text]);
        expect(filtered(count, deltas)).toBe(whole);
        expect(filtered(count, splitAt(text, seed))).toBe(whole);
        expect(filtered(count, [...text])).toBe(whole);
      }),
      { numRuns: 2000 },
    );
  });

  test("long runs of what might be a citation: splitting changes nothing, and nothing is held back for ever", () => {
    const long = fc
      .constantFrom("1", "1, ", "2;", " ", "9", "출처 ", "s", "†a", "[", "【[1")
      .chain((unit) => fc.integer({ min: 30, max: 90 }).map((n) => unit.repeat(n)));
    fc.assert(
      fc.property(long, fc.constantFrom("", "]", "x", " [1] 끝"), (run, after) => {
        const text = `앞 [${run}${after}`;
        expect(filtered(5, [...text])).toBe(filtered(5, [text]));
      }),
      { numRuns: 100 },
    );
    const filter = new CitationFilter(5);
    filter.push("[");
    for (let i = 0; i < 1000; i++) filter.push("1, ");
    expect(filter.push("끝") + filter.push(" 다음")).toContain("다음");
  });

  test("in time that grows with the text alone", () => {
    for (const unit of ["[", "【1", "[출처 ", "†", "[s", " [9]", "[[9]]", "1,"]) {
      const started = cpuMs();
      filtered(5, [`[${unit.repeat(100_000)}`]);
      filtered(5, [...`[${unit.repeat(10_000)}`]);
      expect(cpuMs() - started).toBeLessThan(1500);
    }
  });

  test("text without brackets passes at once", () => {
    const filter = new CitationFilter(3);
    for (const delta of ["연차는", " 15일", "입니다."]) expect(filter.push(delta)).toBe(delta);
  });
});

/** Cuts the text at places that the seed chooses. */
function splitAt(text: string, seed: number): string[] {
  const parts: string[] = [];
  let state = seed + 1;
  for (let from = 0; from < text.length; ) {
    state = (state * 48271) % 2147483647;
    const to = from + 1 + (state % 4);
    parts.push(text.slice(from, to));
    from = to;
  }
  return parts;
}
