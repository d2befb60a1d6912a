import { expect, test } from "vitest";
import { remembered } from "../../src/wrap/remembered.ts";

function counting() {
  const asked: string[] = [];
  const count = (text: string) => {
    asked.push(text);
    return text.length;
  };
  return { asked, counter: { name: "characters", count } };
}

test("a long text is counted once, a short one every time", () => {
  const { asked, counter } = counting();
  const wrapped = remembered(counter);
  const long = "가".repeat(300);
  expect([wrapped.count(long), wrapped.count("가".repeat(300)), wrapped.count("나"), wrapped.count("나")]).toEqual([
    300, 300, 1, 1,
  ]);
  expect(asked).toEqual([long, "나", "나"]);
  expect(wrapped.name).toBe("characters");
});

test("it forgets rather than grow beyond its bound", () => {
  const { asked, counter } = counting();
  const wrapped = remembered(counter, 1000);
  for (const letter of ["a", "b", "c", "d", "a"]) wrapped.count(letter.repeat(300));
  expect(asked).toHaveLength(5);
});
