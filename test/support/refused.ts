import { expect } from "vitest";

/** How files of before 2007 begin. */
export const OLD = Buffer.from("d0cf11e0a1b11ae1", "hex");
export const refusal = (reason: RegExp) =>
  expect.objectContaining({ code: "request_invalid", message: expect.stringMatching(reason) });
export const thrown = (read: () => unknown): unknown => {
  try {
    return read();
  } catch (error) {
    return error;
  }
};
