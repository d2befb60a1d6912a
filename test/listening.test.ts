import { expect, test } from "vitest";
import { isLoopback } from "../src/listening.ts";

test.each(["localhost", "127.0.0.1", "127.8.9.10", "::1"])("%s is reached by this machine only", (host) => {
  expect(isLoopback(host)).toBe(true);
});

test.each(["0.0.0.0", "::", "10.0.0.1", "192.168.127.1", "127.0.0.1.example.com", "example.com"])(
  "%s by others",
  (host) => {
    expect(isLoopback(host)).toBe(false);
  },
);
