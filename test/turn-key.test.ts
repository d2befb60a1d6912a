import { expect, test } from "vitest";
import { requestIdOf, turnKey } from "../src/turn-key.ts";

test("a turn is named as its call was, whatever the name is; two of one name have two keys", () => {
  for (const name of ["trace-1", "order#17", "a#b#", "#0123456789ab", "요청 1"]) {
    expect(requestIdOf(turnKey(name))).toBe(name);
    expect(turnKey(name)).not.toBe(turnKey(name));
  }
  expect(requestIdOf("order#17")).toBe("order#17");
});
