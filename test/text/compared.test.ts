import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonical, createCanonical } from "../../src/text/compared.ts";

const PLAIN = "퇴직금은 14일 Vacation\t\n*_`\"'#|-.·–—“”‘’法律 ";
/** Composed, decomposed and folded by NFKC, or by lower case; blanks of other scripts. */
const OTHERS = "ÉéﬁＡ①…\u00a0\u3000\u1100\u1161\u11a8\u0301İ가\u0000😀";

describe("a text's words as they are compared", () => {
  it("are the same read in one go", () => {
    const read = createCanonical();
    const unit = fc.oneof({ weight: 20, arbitrary: fc.constantFrom(...PLAIN) }, fc.constantFrom(...OTHERS));
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 40 }), (units) => {
        expect(read(units.join(""))).toBe(canonical(units.join("")));
      }),
      { numRuns: 2000 },
    );
  });

  it("are the same of every character, alone and after a syllable", () => {
    const read = createCanonical();
    for (let unit = 0; unit < 0x10000; unit++) {
      const text = `가${String.fromCharCode(unit)}a`;
      if (read(text) !== canonical(text)) expect(read(text), unit.toString(16)).toBe(canonical(text));
    }
    expect(read("  “퇴직금”\n\n은 *14일* Vacation ")).toBe(" 퇴직금 은 14일 vacation ");
  });

  it("are the same of nothing, and of a text that is longer than most", () => {
    const read = createCanonical();
    for (const text of ["", " \n", "가나 ".repeat(5000)]) expect(read(text)).toBe(canonical(text));
  });
});
