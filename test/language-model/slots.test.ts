import { expect, test } from "vitest";
import { createSlots } from "../../src/adapters/language-model/slots.ts";
import { call } from "../support/calls.ts";

test("first come, first served; one too many is refused at once", async () => {
  const slots = createSlots(1, 2);
  const order: string[] = [];
  const release = await slots.take(call());
  const waiting = ["second", "third"].map(async (name) => {
    const free = await slots.take(call());
    order.push(name);
    free();
  });
  await expect(slots.take(call())).rejects.toMatchObject({ code: "overloaded", retryable: true });
  expect(order).toEqual([]);
  release();
  await Promise.all(waiting);
  expect(order).toEqual(["second", "third"]);
});

test("who leaves the queue makes room in it and takes no slot", async () => {
  const slots = createSlots(1, 1);
  const release = await slots.take(call());
  const controller = new AbortController();
  const leaving = slots.take(call(controller.signal));
  controller.abort(new Error("left"));
  await expect(leaving).rejects.toThrow("left");
  const next = slots.take(call());
  release();
  await expect(next).resolves.toBeTypeOf("function");
});

test("who leaves in the very moment that a slot comes free gives it on", async () => {
  const slots = createSlots(1, 2);
  const release = await slots.take(call());
  const controller = new AbortController();
  const leaving = slots.take(call(controller.signal)).then(
    (free) => free(),
    () => undefined,
  );
  release();
  controller.abort(new Error("left"));
  await leaving;
  (await slots.take(call()))();
});

test("a slot is freed once, however often that is said", async () => {
  const slots = createSlots(1, 0);
  const release = await slots.take(call());
  release();
  release();
  await slots.take(call());
  await expect(slots.take(call())).rejects.toMatchObject({ code: "overloaded" });
});
