import { expect, test } from "vitest";
import { Remembered } from "../../src/adapters/passage-index/remembered.ts";

function counted(values: Readonly<Record<string, string>>) {
  const asked: string[][] = [];
  const read = async (missing: readonly string[]) => {
    asked.push([...missing]);
    return new Map(missing.flatMap((id) => (id in values ? [[id, values[id] ?? ""] as const] : [])));
  };
  return { asked, read };
}

test("what was read once is not read again; what is not there is asked for every time", async () => {
  const remembered = new Remembered<string, string>({ weightMax: 100, weightOf: ({ length }) => length });
  const { asked, read } = counted({ a: "가", b: "나" });
  expect([...(await remembered.all(["a", "none"], read))]).toEqual([["a", "가"]]);
  expect(await remembered.all(["a", "b", "none"], read)).toEqual(new Map(Object.entries({ a: "가", b: "나" })));
  expect(await remembered.all(["b", "a"], read)).toEqual(new Map(Object.entries({ a: "가", b: "나" })));
  expect(asked).toEqual([
    ["a", "none"],
    ["b", "none"],
  ]);
});

test("the oldest go first, and what is heavier than all together is given but not kept", async () => {
  const remembered = new Remembered<string, string>({ weightMax: 10, weightOf: ({ length }) => length });
  const { asked, read } = counted({ a: "four", b: "four", c: "four", large: "more than ten" });
  for (const id of ["a", "b", "c", "large"]) expect((await remembered.all([id], read)).size).toBe(1);
  asked.length = 0;
  for (const id of ["c", "b", "a", "large"]) expect((await remembered.all([id], read)).size).toBe(1);
  expect(asked).toEqual([["a"], ["large"]]);
});

test("what takes the place of another counts instead of it, and does not become younger", () => {
  const remembered = new Remembered<string, string>({ weightMax: 10, weightOf: ({ length }) => length });
  for (const [id, value] of [
    ["a", "four"],
    ["b", "four"],
    ["a", "six..."],
  ] as const)
    remembered.add(id, value);
  expect([remembered.get("a"), remembered.get("b")]).toEqual(["six...", "four"]);
  remembered.add("c", "two");
  expect([remembered.get("a"), remembered.get("b"), remembered.get("c")]).toEqual([undefined, "four", "two"]);
});
