import { expect, test } from "vitest";
import { recentPassages } from "../../src/adapters/passage-index/recent-passages.ts";
import type { Passage } from "../../src/types.ts";

function passage(text: string): Passage {
  return { id: "d#0", documentId: "d", title: "휴가", headings: [], text, tokens: 1, metadata: {} };
}

test("beyond 10,000, those that were read first go", () => {
  const recent = recentPassages<number>();
  for (let n = 0; n < 10_003; n++) recent.add(n, passage(`휴가 ${n}`));
  expect([0, 1, 2, 3].map((n) => recent.get(n)?.text)).toEqual([undefined, undefined, undefined, "휴가 3"]);
  expect(recent.get(10_002)?.text).toBe("휴가 10002");
});

test("long texts are fewer, and one that is added again counts once", () => {
  const recent = recentPassages<string>();
  const long = passage("가".repeat(9_000_000));
  for (const key of ["a", "b", "b", "b"]) recent.add(key, long);
  expect([recent.get("a"), recent.get("b")]).toEqual([long, long]);
  recent.add("c", long);
  expect(recent.get("a")).toBeUndefined();
  expect([recent.get("b"), recent.get("c")]).toEqual([long, long]);
});

test("a text longer than all may be together is not kept, and takes no other's place", () => {
  const recent = recentPassages<string>();
  recent.add("a", passage("휴가"));
  recent.add("b", passage("가".repeat(20_000_001)));
  expect(recent.get("a")?.text).toBe("휴가");
  expect(recent.get("b")).toBeUndefined();
});
