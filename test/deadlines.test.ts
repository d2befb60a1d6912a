import { expect, test } from "vitest";
import { Deadlines, within } from "../src/deadlines.ts";

const never = new Promise<never>(() => undefined);
const late = { code: "dependency_timeout", message: "Too late." };

test("what is pending is given, and its failure", async () => {
  const deadlines = new Deadlines("Too late.");
  const { signal } = new AbortController();
  const until = performance.now() + 60_000;
  expect(await deadlines.before(Promise.resolve("휴가"), signal, until)).toBe("휴가");
  await expect(deadlines.before(Promise.reject(new Error("gone")), signal, until)).rejects.toThrow("gone");
});

test("each ends at its own deadline, whichever was asked for first, and is told", async () => {
  const deadlines = new Deadlines("Too late.");
  const { signal } = new AbortController();
  const now = performance.now();
  const ended: string[] = [];
  const wait = (name: string, ms: number) =>
    deadlines.before(never, signal, now + ms, () => ended.push(name)).catch((error: unknown) => error);
  // Nothing else keeps the process from its end.
  const alive = setInterval(() => undefined, 1000);
  const all = await Promise.all([wait("long", 120), wait("short", 20), wait("middle", 60), wait("past", -5)]);
  clearInterval(alive);
  expect(ended).toEqual(["past", "short", "middle", "long"]);
  for (const error of all) expect(error).toMatchObject(late);
});

test("a caller who leaves is told why, before and meanwhile, and what comes after that is nobody's", async () => {
  const deadlines = new Deadlines("Too late.");
  const leaving = new AbortController();
  const reasons: unknown[] = [];
  const { promise, reject } = Promise.withResolvers<never>();
  const until = performance.now() + 60_000;
  const waiting = deadlines.before(promise, leaving.signal, until, (reason) => reasons.push(reason));
  const why = new Error("gone");
  leaving.abort(why);
  await expect(waiting).rejects.toBe(why);
  await expect(deadlines.before(never, leaving.signal, until)).rejects.toBe(why);
  reject(new Error("unheard"));
  expect(reasons).toEqual([why]);
  expect(() => deadlines.check(leaving.signal, until)).toThrow(why);
  expect(() => deadlines.check(new AbortController().signal, performance.now() - 1)).toThrow(
    expect.objectContaining(late),
  );
});

test("a signal within a time aborts after it, or with the caller's", async () => {
  const caller = new AbortController();
  const [soon, long] = [within(20, caller.signal), within(60_000, caller.signal)];
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(soon.reason).toMatchObject({ name: "TimeoutError" });
  expect(long.aborted).toBe(false);
  caller.abort("gone");
  expect(long.reason).toBe("gone");
  expect(soon.reason).toMatchObject({ name: "TimeoutError" });
  expect(within(60_000, caller.signal).reason).toBe("gone");
});
