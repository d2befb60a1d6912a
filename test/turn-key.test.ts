import { expect, test } from "vitest";
import { keyedSession, keyedTurn, requestIdOf, turnKey } from "../src/turn-key.ts";
import { SCOPE } from "./support/calls.ts";

test("a turn is named as its call was, whatever the name is; two of one name have two keys", () => {
  for (const name of ["trace-1", "order#17", "a#b#", "#0123456789ab", "요청 1"]) {
    expect(requestIdOf(turnKey(name))).toBe(name);
    expect(turnKey(name)).not.toBe(turnKey(name));
  }
  expect(requestIdOf("order#17")).toBe("order#17");
});

test("with an idempotency key all calls of a conversation have one, which is no other call's and does not show it", () => {
  const key = keyedTurn(SCOPE, "s", "k");
  expect(keyedTurn({ ...SCOPE, groups: ["hr"] }, "s", "k")).toBe(key);
  const others = [
    keyedTurn({ ...SCOPE, tenant: "other" }, "s", "k"),
    keyedTurn({ ...SCOPE, collection: "other" }, "s", "k"),
    keyedTurn(SCOPE, "t", "k"),
    keyedTurn(SCOPE, "s", "l"),
    keyedTurn(SCOPE, "k", "s"),
    // A caller may name a call as it likes.
    turnKey(key),
  ];
  expect(new Set([key, ...others]).size).toBe(others.length + 1);
  expect(requestIdOf(key)).toBe(key);
  expect(requestIdOf(turnKey(key))).toBe(key);
  expect(key).toMatch(/^idempotency:[0-9a-f]{64}$/);
});

test("without a session id the key makes one, for the same groups alone", () => {
  const ofGroups = (...groups: string[]) => keyedSession({ groups }, "k");
  expect(ofGroups()).toMatch(/^[0-9a-f]{64}$/);
  expect(ofGroups("b", "a", "a")).toBe(ofGroups("a", "b"));
  const others = [ofGroups(), ofGroups("a"), ofGroups("a", "b"), keyedSession({ groups: [] }, "l")];
  expect(new Set(others).size).toBe(others.length);
  expect(keyedTurn(SCOPE, ofGroups(), "k")).not.toContain(ofGroups());
});
