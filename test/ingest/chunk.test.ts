import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createO200kCounter } from "../../src/adapters/token-counter/o200k.ts";
import { type Chunk, chunk, chunks, HARD_LIMIT_FACTOR } from "../../src/ingest/chunk.ts";
import { type Block, readDocument } from "../../src/ingest/load.ts";
import { splitProse } from "../../src/ingest/split.ts";
import { splitSentences } from "../../src/text/sentences.ts";
import { cpuMs } from "../support/cpu.ts";

const counter = await createO200kCounter();
const options = { targetTokens: 64, overlapTokens: 16 };
const cut = (blocks: readonly Block[], overrides: Partial<typeof options> = {}) =>
  chunk(blocks, { ...options, ...overrides }, counter);
const heading = (depth: number, text: string): Block => ({ kind: "heading", depth, text });
const prose = (text: string): Block => ({ kind: "text", text });
const sentence = (n: number) => `${n}번째 문장은 퇴직금을 다룬다.`;
const sentences = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => sentence(from + i)).join(" ");

describe("sections", () => {
  test("a section within the target is one chunk, with its heading path", () => {
    const chunks = cut([
      heading(2, "퇴직금"),
      prose(sentences(1, 5)),
      heading(3, "중간 정산"),
      prose(sentences(6, 10)),
    ]);
    expect(chunks).toEqual([
      { text: sentences(1, 5), headings: ["퇴직금"], tokens: counter.count(sentences(1, 5)) },
      { text: sentences(6, 10), headings: ["퇴직금", "중간 정산"], tokens: counter.count(sentences(6, 10)) },
    ]);
  });

  test("a heading of the same or a higher level ends the path", () => {
    const body = prose(sentences(1, 5));
    const chunks = cut([heading(2, "a"), heading(4, "b"), body, heading(3, "c"), body, heading(2, "d"), body]);
    expect(chunks.map(({ headings }) => headings)).toEqual([["a", "b"], ["a", "c"], ["d"]]);
  });

  test("tiny neighbours share a chunk under the headings they share, their own in its text", () => {
    const chunks = cut([heading(2, "FAQ"), heading(3, "A?"), prose("예."), heading(3, "B?"), prose("아니요.")]);
    expect(chunks).toHaveLength(1);
    expect(chunks[0]).toMatchObject({ headings: ["FAQ"], text: "A?\n\n예.\n\nB?\n\n아니요." });
  });

  test("a heading with nothing under it is not lost", () => {
    const chunks = cut([prose(sentences(1, 5)), heading(2, "끝맺음")]);
    expect(chunks.at(-1)).toMatchObject({ text: "끝맺음", headings: [] });
  });
});

describe("long sections", () => {
  test("are cut at ends of sentences, and repeat the last ones", () => {
    const chunks = cut([heading(2, "퇴직금"), prose(sentences(1, 40))]);
    expect(chunks.length).toBeGreaterThan(5);
    for (const { text, headings } of chunks) {
      expect(text).toMatch(/^\d+번째 .*다\.$/);
      expect(headings).toEqual(["퇴직금"]);
    }
    for (const [i, { text }] of chunks.slice(1).entries()) {
      const first = /^\d+번째[^.]*\./.exec(text)?.[0] ?? "?";
      expect(chunks[i]?.text).toContain(first);
    }
  });

  test("repeat nothing without overlap, nor from one section in another", () => {
    const chunks = cut([prose(sentences(1, 40))], { overlapTokens: 0 });
    expect(chunks.map(({ text }) => text).join(" ")).toBe(sentences(1, 40));
    const two = cut([heading(2, "a"), prose(sentences(1, 6)), heading(2, "b"), prose(sentences(7, 12))]);
    expect(two.find(({ headings }) => headings[0] === "b")?.text.startsWith(sentence(7))).toBe(true);
  });

  test("do not leave a tail of a few words", () => {
    for (let n = 5; n < 40; n++) {
      const chunks = cut([prose(sentences(1, n))], { overlapTokens: 0 });
      if (chunks.length > 1) expect(Math.min(...chunks.map(({ tokens }) => tokens))).toBeGreaterThan(16);
    }
  });

  test("without a single space are cut between characters", () => {
    const family = "👩‍👩‍👧‍👦";
    const chunks = cut([prose(family.repeat(200))], { overlapTokens: 0 });
    expect(chunks.map(({ text }) => text).join("")).toBe(family.repeat(200));
    for (const { text } of chunks) expect(text.startsWith("👩") && text.endsWith("👦")).toBe(true);
  });
});

describe("a text of one block", () => {
  const MILLIONS = 4_000_000;
  test.each([
    ["lines of a letter", "text", "a\n".repeat(MILLIONS / 2)],
    ["items of a letter", "list", "a\n".repeat(MILLIONS / 2)],
    ["blanks", "text", `one${" ".repeat(MILLIONS)}two`],
    ["words without a full stop", "text", "word ".repeat(MILLIONS / 2)],
  ] as const)("is cut bit by bit: %s", (_, kind, text) => {
    let longest = 0;
    let last = cpuMs();
    for (const _ of chunks([{ kind, text }], options, { ...counter, count: ({ length }) => Math.ceil(length / 4) })) {
      longest = Math.max(longest, cpuMs() - last);
      last = cpuMs();
    }
    expect(longest).toBeLessThan(120);
  });

  test("keeps its sentences whole, however long it is", () => {
    const text = ` ${sentences(1, 6_000)}\n끝.`;
    const pieces = [...splitProse(text, 64, counter)].map((piece) => piece.text);
    expect(pieces.join("")).toBe(text);
    expect(pieces.map((piece) => piece.trim())).toEqual(splitSentences(text).map((found) => found.text));
  });
});

describe("tables and code", () => {
  const rows = (n: number) => ["항목 | 금액", ...Array.from({ length: n }, (_, i) => `교통비 ${i} | ${i}000원`)];

  test("stay whole up to four times the target", () => {
    const text = rows(20).join("\n");
    expect(counter.count(text)).toBeGreaterThan(options.targetTokens * 2);
    const chunks = cut([prose(sentences(1, 5)), { kind: "table", text }, prose(sentences(6, 10))]);
    expect(chunks.filter((part) => part.text.includes(text))).toHaveLength(1);
  });

  test("beyond, a table is cut between rows, each part under its header row", () => {
    const text = rows(100).join("\n");
    const chunks = cut([{ kind: "table", text }]);
    expect(chunks.length).toBeGreaterThan(4);
    for (const part of chunks) expect(part.text.split("\n")[0]).toBe("항목 | 금액");
    expect(chunks.flatMap((part) => part.text.split("\n").slice(1))).toEqual(rows(100).slice(1));
  });

  test("beyond, code is cut between lines and keeps its indents", () => {
    const text = Array.from({ length: 200 }, (_, i) => `${"  ".repeat(i % 3)}call(${i});`).join("\n");
    const chunks = cut([{ kind: "code", text }]);
    expect(chunks.map((part) => part.text).join("\n")).toBe(text);
  });
});

test.each([
  [{ targetTokens: 8 }, /targetTokens.*at least 16/],
  [{ targetTokens: 100.5 }, /targetTokens.*whole number/],
  [{ overlapTokens: 33 }, /overlapTokens.*half of targetTokens/],
  [{ overlapTokens: -1 }, /overlapTokens/],
])("refuses %j", (overrides, message) => {
  expect(() => cut([prose("a")], overrides)).toThrow(message);
});

const word = fc.oneof(
  fc.constantFrom("퇴직금은", "근로자가", "severance", "2026년", "끝.", "Done.", "예?", "1.", "가."),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }).filter((text) => !/[\s|\0。！？]/.test(text)),
  fc.constantFrom("x".repeat(400), "가".repeat(300), "👩‍👩‍👧".repeat(60)),
);
const line = fc.array(word, { minLength: 1, maxLength: 30 }).map((words) => words.join(" "));
const block = fc.oneof(
  fc.record({
    kind: fc.constant("heading" as const),
    depth: fc.integer({ min: 1, max: 6 }),
    text: line.map((text) => text.slice(0, 30).toWellFormed().trim() || "h"),
  }),
  fc.record({
    kind: fc.constantFrom("text" as const, "list" as const, "code" as const),
    text: fc.array(line, { minLength: 1, maxLength: 8 }).map((lines) => lines.join("\n")),
  }),
  fc.record({
    kind: fc.constant("table" as const),
    text: fc.array(line, { minLength: 2, maxLength: 12 }).map((lines) => lines.join("\n")),
  }),
);

/** Whether everything but white space of `text` appears in `chunks`, in order, with repeats allowed. */
function covers(chunks: readonly Chunk[], words: readonly string[]): string | null {
  const all = chunks.map((part) => [...part.headings, part.text].join("\n"));
  let at = 0;
  for (const text of words) {
    let found = at;
    while (found < all.length && !all[found]?.includes(text)) found++;
    if (found === all.length) return text;
    at = found;
  }
  return null;
}

describe("whatever the document", () => {
  test("no word is lost and none changes its order; no chunk exceeds the hard limit; tables stay whole", () => {
    fc.assert(
      fc.property(fc.array(block, { maxLength: 8 }), (blocks) => {
        const chunks = cut(blocks);
        const words = blocks.flatMap(({ kind, text }) =>
          kind === "heading"
            ? [text]
            : text.split(/\s+/).filter((part) => part !== "" && counter.count(part) < options.targetTokens / 2),
        );
        expect(covers(chunks, words)).toBeNull();
        for (const part of chunks) {
          expect(part.tokens).toBe(counter.count(part.text));
          expect(part.tokens).toBeLessThanOrEqual(options.targetTokens * HARD_LIMIT_FACTOR);
          expect(part.text.isWellFormed()).toBe(true);
        }
        for (const { kind, text } of blocks) {
          if (kind !== "table" || counter.count(text) > options.targetTokens * HARD_LIMIT_FACTOR) continue;
          expect(chunks.some((part) => part.text.includes(text))).toBe(true);
        }
        expect(cut(blocks)).toEqual(chunks);
      }),
      { numRuns: 40, endOnFailure: true },
    );
  });

  test("a short row of JSONL is exactly one passage", () => {
    fc.assert(
      fc.property(line, (text) => {
        const { blocks } = readDocument({ id: "1", text, format: "text" });
        fc.pre(counter.count(text) <= options.targetTokens);
        expect(cut(blocks)).toHaveLength(1);
      }),
    );
  });

  test.each([
    ["one word", "x".repeat(300_000)],
    ["spaces", `${" ".repeat(300_000)}a`],
    ["words without sentences", "단어 ".repeat(100_000)],
    ["one-letter lines", "a\n".repeat(100_000)],
    ["dots", ".".repeat(300_000)],
    ["dots and spaces", ". ".repeat(150_000)],
    ["one endless character", `e${"\u0301".repeat(100_000)}`],
  ])("a very long run of %s is cut in good time", (_, text) => {
    const startedAt = cpuMs();
    const chunks = chunk([prose(text)], { targetTokens: 256, overlapTokens: 32 }, counter);
    for (const part of chunks) expect(part.tokens).toBeLessThanOrEqual(1_024);
    expect(cpuMs() - startedAt).toBeLessThan(4_000);
  });
});

describe("lists and what introduces them", () => {
  const items = (marker: (i: number) => string, count = 12) =>
    Array.from({ length: count }, (_, i) => `${marker(i + 1)} ${"회사의 물품을 반출한 사람 ".repeat(2)}${i + 1}`).join(
      "\n",
    );
  const options = { targetTokens: 128, overlapTokens: 16 };
  const cut = (text: string) => chunk([{ kind: "text", text }], options, counter).map(({ text: passage }) => passage);

  test.each([
    ["a statute's", "회사는 직원이 다음 각 호의 어느 하나에 해당하는 경우 징계할 수 있다.", (i: number) => `${i}.`],
    ["a colon's", "필요한 서류:", (i: number) => `- ${i}번`],
    ["English", "Bring the following documents.", (i: number) => `${i})`],
  ])("each part of a list begins with its introduction: %s", (_, introduction, marker) => {
    const parts = cut(`${introduction}\n${items(marker)}`);
    expect(parts.length).toBeGreaterThan(2);
    for (const part of parts) expect(part.startsWith(`${introduction}\n`)).toBe(true);
    for (let i = 1; i <= 12; i++) expect(parts.filter((part) => part.includes(`\n${marker(i)} `))).toHaveLength(1);
  });

  test("within a list of a list both are repeated; behind it neither is", () => {
    const outer = "① 다음 각 호와 같다.";
    const inner = "2. 다음 각 목의 서류:";
    const parts = cut(
      `${outer}\n1. 신청서\n${inner}\n${items((i) => `  ${"가나다라마바사아자차카타"[i - 1]}.`)}\n② ${"그 밖의 사항은 따로 정한다. ".repeat(20)}`,
    );
    expect(parts[1]?.startsWith(`${outer}\n${inner}\n`)).toBe(true);
    expect(parts.filter((part) => part.includes("그 밖의") && part.includes(outer)).length).toBeLessThanOrEqual(1);
    expect(parts.at(-1)).not.toContain("다음 각");
  });

  test("an introduction or a caption goes with what it introduces", () => {
    const before = `${"앞의 내용을 적은 문장이다. ".repeat(14)}`.trim();
    const table = `구분 | 금액\n${items((i) => `${i}급 |`, 5)}`;
    for (const introduction of ["출장 여비 기준표", "금액은 다음 표와 같다."]) {
      const blocks = [
        { kind: "text", text: before },
        { kind: "text", text: introduction },
        { kind: "table", text: table },
      ] as const;
      const parts = chunk(blocks, { targetTokens: 160, overlapTokens: 0 }, counter).map(({ text }) => text);
      expect(parts).toEqual([before, `${introduction}\n\n${table}`]);
    }
  });

  test("lines are not cut, as those of a log", () => {
    const lines = Array.from({ length: 40 }, (_, i) => `2026-04-01 10:00:${i + 10} INFO request ${i} took ${i * 7} ms`);
    const parts = cut(lines.join("\n"));
    expect(parts.length).toBeGreaterThan(5);
    expect(parts.flatMap((part) => part.split("\n")).every((line) => lines.includes(line))).toBe(true);
  });
});
