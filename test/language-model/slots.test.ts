import { expect, test } from "vitest";
import { createSlots } from "../../src/adapters/language-model/slots.ts";

const never = new AbortController().signal;

test("first come, first served; one too many is refused at once", async () => {
  const slots = createSlots(1, 2);
  const order: string[] = [];
  const release = await slots.take(never);
  const waiting = ["second", "third"].map(async (name) => {
    const free = await slots.take(never);
    order.push(name);
    free();
  });
  await expect(slots.take(never)).rejects.toMatchObject({ code: "overloaded", retryable: true });
  expect(order).toEqual([]);
  release();
  await Promise.all(waiting);
  expect(order).toEqual(["second", "third"]);
});

test("who leaves the queue makes room in it and takes no slot", async () => {
  const slots = createSlots(1, 1);
  const release = await slots.take(never);
  const controller = new AbortController();
  const leaving = slots.take(controller.signal);
  controller.abort(new Error("left"));
  await expect(leaving).rejects.toThrow("left");
  const next = slots.take(never);
  release();
  await expect(next).resolves.toBeTypeOf("function");
});

test("who leaves in the very moment that a slot comes free gives it on", async () => {
  const slots = createSlots(1, 2);
  const release = await slots.take(never);
  const controller = new AbortController();
  const leaving = slots.take(controller.signal).then(
    (free) => free(),
    () => undefined,
  );
  release();
  controller.abort(new Error("left"));
  await leaving;
  (await slots.take(never))();
});

test("a slot is freed once, however often that is said", async () => {
  const slots = createSlots(1, 0);
  const release = await slots.take(never);
  release();
  release();
  await slots.take(never);
  await expect(slots.take(never)).rejects.toMatchObject({ code: "overloaded" });
});
