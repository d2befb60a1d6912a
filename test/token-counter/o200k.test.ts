import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import { describe, expect, test } from "vitest";
import { createO200kCounter } from "../../src/adapters/token-counter/o200k.ts";
import { cpuMs } from "../support/cpu.ts";

const counter = await createO200kCounter();
const real = (text: string) => countTokens(text, { disallowedSpecial: new Set<string>() });

describe("o200k counter", () => {
  test.each([
    ["", 0],
    ["hello world", 2],
    ["Hello, world!", 4],
    ["퇴직금", 3],
    ["안녕하세요", 2],
    ["👍", 1],
  ])("counts %j as %i", (text, tokens) => {
    expect(counter.count(text)).toBe(tokens);
  });

  test("names the encoding", () => {
    expect(counter.name).toBe("o200k_base");
  });

  test("a checkout without the packed vocabulary packs the same", async () => {
    const folder = new URL("../../src/adapters/token-counter/", import.meta.url);
    const [packed] = await once(new Worker(new URL("o200k-vocabulary.ts", folder)), "message");
    expect(Buffer.compare(packed, readFileSync(new URL("o200k_base.tokens", folder)))).toBe(0);
  });

  test("counts special tokens as plain text", () => {
    expect(counter.count("<|endoftext|>")).toBeGreaterThan(1);
    expect(counter.count("before <|im_start|> after <|endofprompt|>")).toBeGreaterThan(6);
  });

  test("counts halves of surrogate pairs, however long the run", () => {
    expect(counter.count("\ud83d")).toBeGreaterThan(0);
    const run = "\ude00".repeat(1_000);
    expect(counter.count(run)).toBeGreaterThanOrEqual(real(run));
  });

  test("is exact for ordinary prose and code", () => {
    const texts = [
      "제1조(목적) 이 법은 헌법에 따라 근로조건의 기준을 정함으로써 근로자의 기본적 생활을 보장, 향상시킨다.\n".repeat(
        50,
      ),
      "Severance pay is due within 14 days.\n\n".repeat(100),
      "const x = { a: [1, 2, 3] };\n\tif (x) {\n\t\treturn;\n\t}\n".repeat(40),
      `${"-".repeat(100)}\n${"=".repeat(100)}`,
    ];
    for (const text of texts) expect(counter.count(text)).toBe(real(text));
  });

  test("is never below the real count", () => {
    const run = fc
      .tuple(
        fc.constantFrom("x", "X", "가", "!", " ", "\n", "/\n", "=-", "👩‍👩‍👧", "e\u0301", "ab", "\ud800", "漢"),
        fc.integer({ min: 1, max: 600 }),
      )
      .map(([text, times]) => text.repeat(times));
    const mixed = fc.array(fc.oneof(run, fc.string({ unit: "binary", maxLength: 40 }), fc.string({ maxLength: 300 })), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(mixed, (parts) => {
        const text = parts.join("");
        expect(counter.count(text)).toBeGreaterThanOrEqual(real(text));
      }),
      { numRuns: 200 },
    );
  });

  test("is exact wherever white space stands", () => {
    const space = fc.constantFrom(" ", "  ", "\n", " \n ", "\t", "\u00a0", "\u3000", "\r\n");
    const word = fc.oneof(
      fc.constantFrom("퇴직금은", "don't", "1,000원", "---", "🙂", "/"),
      fc.string({ maxLength: 8 }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(word, space), { maxLength: 30 }), (parts) => {
        const text = parts.flat().join("");
        expect(counter.count(text)).toBe(real(text));
      }),
    );
  });

  test.each([
    ["one letter", "x".repeat(1_000_000)],
    ["Hangul", "가나다라".repeat(250_000)],
    ["spaces", " ".repeat(1_000_000)],
    ["line ends", "\n".repeat(1_000_000)],
    ["slashes and line ends", "/\n".repeat(500_000)],
    ["punctuation", "!?".repeat(500_000)],
    ["combining marks", "e\u0301".repeat(500_000)],
    ["one word", "단어 ".repeat(330_000)],
    ["emoji", "👩‍👩‍👧‍👦".repeat(90_000)],
    ["halves of surrogate pairs", "\ud800".repeat(1_000_000)],
  ])("takes a megabyte of %s in linear time", (_, text) => {
    const startedAt = cpuMs();
    expect(counter.count(text)).toBeGreaterThan(1_000);
    expect(cpuMs() - startedAt).toBeLessThan(2_000);
  });
});
