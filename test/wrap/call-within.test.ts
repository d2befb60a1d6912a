import { expect, test } from "vitest";
import type { CallOptions } from "../../src/types.ts";
import { CallWithin } from "../../src/wrap/call-within.ts";

test("what a call says reaches the call within it, and what that is told reaches the outer one", () => {
  const told: unknown[] = [];
  const outer: CallOptions = {
    signal: new AbortController().signal,
    deadline: 7,
    asOf: 3,
    onModelCall: (call) => told.push(call),
    onTokens: (tokens) => told.push(tokens),
    onServed: (served) => told.push(served),
  };
  const { signal } = new AbortController();
  const within = new CallWithin(new CallWithin(outer), signal);
  expect([within.deadline, within.asOf]).toEqual([7, 3]);
  expect([within.signal, new CallWithin(outer).signal]).toEqual([signal, outer.signal]);
  within.onModelCall({ inputTokens: 1, outputTokens: 2, ms: 3 });
  within.onTokens(5);
  within.onServed({ queueMs: 1, serviceMs: 2 });
  expect(told).toEqual([{ inputTokens: 1, outputTokens: 2, ms: 3 }, 5, { queueMs: 1, serviceMs: 2 }]);
});
