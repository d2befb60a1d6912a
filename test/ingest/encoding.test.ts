import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeText } from "../../src/ingest/encoding.ts";

/** The 2,350 syllables of KS X 1001 with their bytes. */
const SYLLABLES: [string, number[]][] = [];
for (let lead = 0xb0; lead <= 0xc8; lead++) {
  for (let trail = 0xa1; trail <= 0xfe; trail++) {
    SYLLABLES.push([new TextDecoder("euc-kr").decode(Uint8Array.of(lead, trail)), [lead, trail]]);
  }
}
const BYTES = new Map(SYLLABLES);
const word = fc.array(fc.constantFrom(...SYLLABLES.map(([character]) => character)), { minLength: 1, maxLength: 6 });
const korean = fc
  .array(
    fc.oneof(
      word.map((characters) => characters.join("")),
      fc.constantFrom("15", "IT", "(a)", "%"),
    ),
    { minLength: 5, maxLength: 60 },
  )
  .map((words) => `근로자는 ${words.join(" ")}\n`);

const utf16 = (text: string, isBig: boolean) =>
  isBig ? Buffer.from(text, "utf16le").swap16() : Buffer.from(text, "utf16le");
const eucKr = (text: string) =>
  Buffer.from([...text].flatMap((character) => BYTES.get(character) ?? [character.charCodeAt(0)]));

describe("Korean text in every encoding", () => {
  test.each<[string, (text: string) => Buffer]>([
    ["UTF-8", (text) => Buffer.from(text)],
    ["UTF-8 with a mark", (text) => Buffer.from(`\ufeff${text}`)],
    ["UTF-16 LE with a mark", (text) => utf16(`\ufeff${text}`, false)],
    ["UTF-16 BE with a mark", (text) => utf16(`\ufeff${text}`, true)],
    ["UTF-16 LE", (text) => utf16(text, false)],
    ["UTF-16 BE", (text) => utf16(text, true)],
    ["EUC-KR", eucKr],
  ])("%s is read as it was written", (_, encode) => {
    fc.assert(
      fc.property(korean, (text) => {
        expect(decodeText(encode(text))).toBe(text);
      }),
    );
  });

  test("CP949's added syllables among others; a page that declares its encoding", () => {
    const text = Buffer.concat([
      eucKr("이 가게에서 "),
      Buffer.from([0x8c, 0x63]),
      eucKr("방각하라고 하는 사람이 많다"),
    ]);
    expect(decodeText(text)).toBe("이 가게에서 똠방각하라고 하는 사람이 많다");
    const page = Buffer.concat([Buffer.from('<meta charset="ks_c_5601-1987"><p>'), Buffer.from([0x8c, 0x63])]);
    expect(decodeText(page, { isHtml: true })).toMatch(/<p>똠$/);
  });

  test.each(["cp949", "ms949", "utf-8", "iso-8859-1"])(
    "a page that is certainly EUC-KR, though it declares %s",
    (label) => {
      const page = Buffer.concat([Buffer.from(`<meta charset="${label}"><p>`), eucKr("연차는 열다섯 날이다")]);
      expect(decodeText(page, { isHtml: true })).toMatch(/<p>연차는 열다섯 날이다$/);
    },
  );

  test("a page is what it declares where its bytes do not tell", () => {
    const french = Buffer.from('<meta charset="iso-8859-1"><p>café', "latin1");
    expect(decodeText(french, { isHtml: true })).toMatch(/café$/);
    const chinese = Buffer.concat([Buffer.from('<meta charset="gb2312">'), Buffer.from([0xc4, 0xe3, 0xba, 0xc3])]);
    expect(decodeText(chinese, { isHtml: true })).toMatch(/你好$/);
    const broken = Buffer.from('<meta charset="utf-8"><p>caf\xe9', "latin1");
    expect(() => decodeText(broken, { isHtml: true })).toThrow("says that it is in utf-8, and is not");
  });
});

describe("refused, never guessed", () => {
  test.each([
    ["Windows-1252 with curly quotes", Buffer.from([0x69, 0x74, 0x92, 0x73, 0x20, 0x93, 0x48, 0x69, 0x94, 0x20])],
    ["Latin-1", Buffer.from("Äpfel und Öl für Müller", "latin1")],
    ["Windows-1251", Buffer.from([0xcf, 0xf0, 0xe8, 0xe2, 0xe5, 0xf2, 0x20, 0xec, 0xe8, 0xf0])],
    ["Shift_JIS", Buffer.from([0x82, 0xb1, 0x82, 0xf1, 0x82, 0xc9, 0x82, 0xbf, 0x82, 0xcd])],
    ["GBK", Buffer.from([0xce, 0xd2, 0xca, 0xc7, 0xd6, 0xd0, 0xb9, 0xfa, 0xc8, 0xcb])],
    ["ISO-2022-KR", Buffer.from("\x1b$)C\x0e0!3*\x0f")],
    ["UTF-32", Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0])],
    ["half a character", Buffer.from([0xea, 0xb0])],
  ])("%s", (_, bytes) => {
    expect(() => decodeText(bytes)).toThrow(/UTF-8/);
  });

  test("random bytes", () => {
    const bytes = fc.uint8Array({ minLength: 64, maxLength: 4_000 });
    fc.assert(
      fc.property(bytes, (random) => {
        expect(() => decodeText(random)).toThrow();
      }),
      { numRuns: 1_000 },
    );
  });
});
