import { expect, test } from "vitest";
import { withMethods } from "../../src/wrap/with-methods.ts";

class Counter {
  #count = 0;
  step = 1;
  add(): number {
    this.#count += this.step;
    return this.#count;
  }
  reset(): void {
    this.#count = 0;
  }
}

test("what is not replaced works on the port itself, through several layers", () => {
  const port = new Counter();
  const wrapped = withMethods(withMethods(port, {}), { reset: () => undefined });
  const { add } = wrapped;
  expect([add(), wrapped.add(), port.add()]).toEqual([1, 2, 3]);
  wrapped.reset();
  expect(wrapped.add()).toBe(4);
});

test("a method is bound once, and again when the port gets another", () => {
  const port = { greet: () => "first" };
  const wrapped = withMethods(withMethods(port, {}), {});
  expect(wrapped.greet).toBe(wrapped.greet);
  expect(wrapped.greet()).toBe("first");
  port.greet = () => "second";
  expect(wrapped.greet()).toBe("second");
});

test("a field is read anew each time", () => {
  const port = new Counter();
  const wrapped = withMethods(port, {});
  port.step = 5;
  expect(wrapped.step).toBe(5);
});
