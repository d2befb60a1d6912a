import { expect, test } from "vitest";
import { UnderWay } from "../src/under-way.ts";

const STOPPING = "The library is closing.";

test("closing ends every answer under way, and waits until they are over", async () => {
  const answers = new UnderWay();
  const [one, other] = [answers.answering({}), answers.answering({})];
  for (const answer of [one, other]) answer.begin();
  let isOver = false;
  const ended = answers.end(STOPPING, 60_000).then(() => {
    isOver = true;
  });
  expect(one.signal.reason).toMatchObject({ code: "cancelled", message: STOPPING });
  one.over();
  await Promise.resolve();
  expect([other.signal.aborted, isOver]).toEqual([true, false]);
  other.over();
  await ended;
});

test("closing does not wait for one that never ends", async () => {
  const answers = new UnderWay();
  answers.answering({}).begin();
  const startedAt = performance.now();
  await answers.end(STOPPING, 50);
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(45);
});

test("an answer that begins after closing, or whose caller has left, ends at once", async () => {
  const answers = new UnderWay();
  const left = answers.answering({ signal: AbortSignal.abort("left") });
  left.begin();
  expect(left.signal.reason).toBe("left");
  left.over();
  await answers.end(STOPPING, 60_000);
  const late = answers.answering({});
  expect(late.signal.aborted).toBe(false);
  late.begin();
  expect(late.signal.reason).toMatchObject({ code: "cancelled", message: STOPPING });
});
