import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fuse } from "../../src/pipeline/fuse.ts";
import type { ScoredPassage } from "../../src/types.ts";

const hit = (id: string, score: number, text = ""): ScoredPassage => ({
  passage: { id, documentId: id, title: "", headings: [], text, tokens: 1, metadata: {} },
  score,
});

const ids = (hits: readonly ScoredPassage[]) => hits.map(({ passage }) => passage.id);

describe("fuse", () => {
  test("keeps the text order where the best text hit holds every word of the query", () => {
    const byText = [hit("a", 9, "퇴직금의 중간정산 사유"), hit("b", 8.9), hit("c", 1)];
    const byVector = [hit("d", 0.9), hit("c", 0.8), hit("b", 0.2)];
    expect(ids(fuse({ byText, byVector }, "퇴직금 중간정산", 3))).toEqual(["a", "b", "c"]);
  });

  test("lets the vectors lead where the text knows none of the words, as across languages", () => {
    const byText = [hit("a", 1.2, "unrelated")];
    const byVector = [hit("b", 0.6), hit("c", 0.5), hit("a", 0.1)];
    expect(ids(fuse({ byText, byVector }, "비밀번호 변경", 3, { uncovered: 0.6, covered: 0 }))).toEqual([
      "b",
      "c",
      "a",
    ]);
  });

  test("weighs both in between: what both legs find goes first", () => {
    const byText = [hit("a", 4, "annual leave"), hit("b", 3.9), hit("c", 2)];
    const byVector = [hit("b", 0.9), hit("d", 0.85), hit("a", 0.2)];
    expect(ids(fuse({ byText, byVector }, "annual vacation", 4))[0]).toBe("b");
  });

  test("one empty leg leaves the other as it is; two give nothing", () => {
    const hits = [hit("a", 0.5), hit("b", 0.5), hit("c", -0.5)];
    expect(ids(fuse({ byText: hits, byVector: [] }, "휴가", 10))).toEqual(["a", "b", "c"]);
    expect(ids(fuse({ byText: [], byVector: hits }, "휴가", 10))).toEqual(["a", "b", "c"]);
    expect(fuse({ byText: [], byVector: [] }, "휴가", 10)).toEqual([]);
  });

  test("gives every passage once, best first, from 0 to 1, at most `limit`, and the same each time", () => {
    const leg = fc
      .uniqueArray(fc.tuple(fc.constantFrom(..."abcdefgh"), fc.double({ min: -1, max: 30, noNaN: true })), {
        selector: ([id]) => id,
      })
      .map((pairs) => pairs.map(([id, score]) => hit(id, score, "휴가 pay")).sort((a, b) => b.score - a.score));
    fc.assert(
      fc.property(
        leg,
        leg,
        fc.constantFrom("", "휴가", "휴가 급여", "🙂"),
        fc.nat(10),
        (byText, byVector, query, limit) => {
          const fused = fuse({ byText, byVector }, query, limit);
          const every = new Set([...ids(byText), ...ids(byVector)]);
          expect(fused.length).toBe(Math.min(limit, every.size));
          expect(new Set(ids(fused)).size).toBe(fused.length);
          expect(fused).toEqual(fused.toSorted((a, b) => b.score - a.score));
          expect(fuse({ byText, byVector }, query, limit)).toEqual(fused);
        },
      ),
    );
  });
});
