import { existsSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createBytesCounter } from "../../src/adapters/token-counter/bytes.ts";
import { createEncodingCounter } from "../../src/adapters/token-counter/encoding.ts";
import { createO200kCounter } from "../../src/adapters/token-counter/o200k.ts";
import { createTokenizerJsonCounter } from "../../src/adapters/token-counter/tokenizer-json.ts";
import { assemblePrompt } from "../../src/pipeline/prompt.ts";
import type { TokenCounter } from "../../src/ports/token-counter.ts";
import { corrected } from "../../src/wrap/corrected.ts";
import { emptySession, fakeStages, passage, questionOf } from "../support/stages.ts";

const SHARED = process.env.RAGLINE_SHARED ?? resolve(import.meta.dirname, "../../../../shared");
const TOKENIZER = `${SHARED}/models/multilingual-e5-small-ko-en/tokenizer.json`;

/** The models' own counts, made with the tokenizers themselves, whole. */
const { countTokens: cl100k } = await import("gpt-tokenizer/encoding/cl100k_base");
const { countTokens: p50k } = await import("gpt-tokenizer/encoding/p50k_base");
const plain = { disallowedSpecial: new Set<string>() };
const MODELS: readonly (readonly [name: string, own: (text: string) => number])[] = [
  ["cl100k", (text) => cl100k(text, plain)],
  ["p50k", (text) => p50k(text, plain)],
];

const pieces = fc.constantFrom(
  "퇴직금은 14일 안에 지급한다. ",
  "뷁쀍",
  "Severance pay is due. ",
  "const x = [1, 2, 3].map((n) => n ** 2);\n",
  "{\n\t\t}",
  "🏝️",
  "👩‍👩‍👧‍👦",
  "\ud83d",
  "\udfff",
  "漢字",
  "ẞ",
  "     ",
  "\n\n",
  "0123456789",
  "====",
  "<|endoftext|>",
);
const texts = fc.array(pieces, { maxLength: 40 }).map((all) => all.join(""));

describe.each(MODELS)("bytes are a bound for %s", (_, own) => {
  test("whatever the text", () => {
    const { count } = createBytesCounter();
    fc.assert(
      fc.property(texts, (text) => {
        expect(count(text)).toBeGreaterThanOrEqual(own(text));
      }),
      { numRuns: 200 },
    );
  });

  test("a prompt counted by it never passes the limit by the model's own count", () => {
    const counter = createBytesCounter();
    const sample = fc.record({
      question: fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
      said: fc.array(texts, { maxLength: 5 }),
      found: fc.array(texts, { maxLength: 5 }),
    });
    const property = fc.property(sample, ({ question, said, found }) => {
      const stages = fakeStages({ counter, model: { ...fakeStages().model, contextTokensMax: 1200 } });
      const turns = said.map((answer, i) => {
        const words = { question: "?", query: "?", answer };
        return {
          number: i + 1,
          short: false,
          requestId: `${i}`,
          ...words,
          status: "complete",
          tokens: 1,
          at: "",
        } as const;
      });
      const past = { session: { ...emptySession("s"), turns, turnCount: turns.length }, older: [], facts: [] };
      const best = found.map((text, i) => ({ passage: passage(`d${i}`, text), score: 9 - i }));
      const { request } = assemblePrompt(stages, questionOf({ question }), question, past, best);
      const total = request.messages.reduce((sum, { content }) => sum + own(content) + 4, 3);
      expect(total + request.maxOutputTokens).toBeLessThanOrEqual(1200);
    });
    fc.assert(property, { numRuns: 100 });
  });
});

test("an encoding is counted exactly, or a few more where a long text is cut", async () => {
  const counter = await createEncodingCounter("cl100k_base");
  const property = fc.property(texts, (text) => {
    const own = cl100k(text, plain);
    expect(counter.count(text)).toBeGreaterThanOrEqual(own);
    expect(counter.count(text)).toBeLessThanOrEqual(own + Math.ceil(text.length / 100) * 2);
  });
  fc.assert(property, { numRuns: 200 });
});

describe.skipIf(!existsSync(TOKENIZER))("a local tokenizer.json", () => {
  test("counts Korean, English, emoji and lone surrogates; bytes bound it", async () => {
    const counter = await createTokenizerJsonCounter(TOKENIZER);
    expect(counter.count("")).toBe(0);
    expect(counter.count("연차휴가는 며칠인가요?")).toBeGreaterThan(3);
    expect(counter.count("annual leave")).toBeGreaterThan(1);
    const bytes = createBytesCounter();
    fc.assert(
      fc.property(texts, (text) => {
        expect(bytes.count(text)).toBeGreaterThanOrEqual(counter.count(text));
      }),
      {
        numRuns: 50,
      },
    );
  });
});

test("a file that is no tokenizer is refused by name", async () => {
  await expect(createTokenizerJsonCounter("/nowhere/tokenizer.json")).rejects.toMatchObject({
    code: "config_invalid",
    message: expect.stringContaining("/nowhere/tokenizer.json"),
  });
});

describe("correction by what the endpoint reports", () => {
  const english = "The employee may take the rest of the annual leave in the next year, if the manager agrees. ".repeat(
    8,
  );
  const korean =
    "직원은 팀장의 동의를 받아 남은 연차휴가를 다음 해에 사용할 수 있으며 사용하지 않은 휴가는 소멸한다 ".repeat(8);

  test("a bound comes down towards the model's own count, script by script, never below it", () => {
    const counter = corrected(createBytesCounter(), true);
    const before = counter.count(english);
    for (let i = 0; i < 3; i++) counter.compare?.([english])?.(cl100k(english, plain));
    expect(counter.count(english)).toBeLessThan(before * 0.55);
    expect(counter.count(english)).toBeGreaterThanOrEqual(cl100k(english, plain));
    expect(counter.count(korean)).toBeGreaterThan(Buffer.byteLength(korean) * 0.9);
    for (let i = 0; i < 3; i++) counter.compare?.([korean])?.(cl100k(korean, plain));
    expect(counter.count(korean)).toBeLessThan(Buffer.byteLength(korean) * 0.7);
    expect(counter.count(korean)).toBeGreaterThanOrEqual(cl100k(korean, plain));
    expect(counter.corrections?.().map(({ script, reports }) => [script, reports])).toEqual([
      ["latin", 3],
      ["hangul", 3],
    ]);
  });

  test("digits, code and emoji keep the bound; corrected counts still cover mixed texts", () => {
    const counter = corrected(createBytesCounter(), true);
    for (let i = 0; i < 5; i++) {
      counter.compare?.([english])?.(cl100k(english, plain));
      counter.compare?.([korean])?.(cl100k(korean, plain));
    }
    // A lone rare syllable costs a token a byte: measured bounds hold for texts, not for those.
    const ordinary = texts.map((text) => text.replaceAll("뷁쀍", ""));
    const property = fc.property(ordinary, (text) => {
      expect(counter.count(text)).toBeGreaterThanOrEqual(cl100k(text, plain));
    });
    fc.assert(property, { numRuns: 200 });
  });

  test("one high report lifts it again at once; a counter for the model is only ever raised, and within bounds", async () => {
    const counter = corrected(createBytesCounter(), true);
    for (let i = 0; i < 3; i++) counter.compare?.([english])?.(100);
    const low = counter.count(english);
    counter.compare?.([english])?.(english.length);
    expect(counter.count(english)).toBeGreaterThan(low * 1.5);
    const exact: TokenCounter = corrected(await createO200kCounter(), false);
    const own = exact.count(english);
    exact.compare?.([english])?.(10);
    expect(exact.count(english)).toBe(own);
    exact.compare?.([english])?.(own * 2);
    expect(exact.count(english)).toBeGreaterThan(own * 1.9);
    exact.compare?.([english])?.(own * 100);
    expect(exact.count(english)).toBeLessThanOrEqual(own * 4 + 1);
  });

  test("what is too short to tell, or nonsense, changes nothing", () => {
    const counter = corrected(createBytesCounter(), true);
    for (let i = 0; i < 5; i++) {
      counter.compare?.(["short"])?.(2);
      counter.compare?.([english])?.(0);
      counter.compare?.([english])?.(-7);
    }
    expect(counter.count(english)).toBe(english.length + 1);
    expect(counter.corrections?.()).toEqual([]);
  });
});
