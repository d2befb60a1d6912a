import { expect, onTestFinished, test, vi } from "vitest";
import { TimeLeft } from "../../src/grpc/time-left.ts";

test("a call that has less time than the fastest of its size took is refused, and others are not", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const timeLeft = new TimeLeft();
  timeLeft.took(1000, 500);
  timeLeft.took(1000, 700);
  expect(() => timeLeft.check(1000, 499)).toThrow("499 ms are left, and the fastest such call of late took 500 ms.");
  timeLeft.check(1000, 501);
  timeLeft.check(1, 100);
  expect(() => timeLeft.check(1, 0)).toThrow("No time is left.");
  // What was refused leaves no sample: a stage that was slow once must not refuse for ever.
  vi.advanceTimersByTime(11_000);
  timeLeft.check(1000, 100);
});
