import { describe, expect, test } from "vitest";
import type { TokenCounter } from "../../src/ports/token-counter.ts";

/** What `ports/token-counter.ts` promises. */
export function tokenCounterContract(name: string, open: () => Promise<TokenCounter>): void {
  describe(`token counter: ${name}`, () => {
    test("has a name, counts nothing as 0 and anything else as a whole number above 0", async () => {
      const counter = await open();
      expect(counter.name).toMatch(/\S/);
      expect(counter.count("")).toBe(0);
      for (const text of ["a", "휴가", " ", "\n", "🏝️", "\ud83d", "<|endoftext|>", "[1]"]) {
        expect(Number.isInteger(counter.count(text))).toBe(true);
        expect(counter.count(text)).toBeGreaterThan(0);
      }
    });

    test("more text never counts less", async () => {
      const counter = await open();
      const text = "퇴직금은 14일 안에 지급한다. Severance pay is due. ".repeat(4);
      for (let end = 10; end < text.length; end += 10) {
        expect(counter.count(text.slice(0, end + 10)) + 2).toBeGreaterThanOrEqual(counter.count(text.slice(0, end)));
      }
    });

    test.each([
      ["one run of a letter", "a"],
      ["one run of Hangul", "가"],
      ["spaces", " "],
      ["line ends", "\n"],
      ["punctuation", "!"],
      ["emoji", "🏝️"],
      ["zero-width joiners", "\u200d"],
      ["digits", "7"],
      ["prose", "퇴직금은 14일 안에 지급한다. "],
    ])("at most linear, whatever it holds: %s", async (_, piece) => {
      const counter = await open();
      const time = (length: number) => {
        const text = piece.repeat(Math.ceil(length / piece.length));
        const startedAt = performance.now();
        counter.count(text);
        return performance.now() - startedAt;
      };
      time(20_000);
      const short = Math.min(time(20_000), time(20_000), time(20_000));
      const long = Math.min(time(200_000), time(200_000));
      expect(long).toBeLessThan(Math.max(short, 0.5) * 40);
    });
  });
}
