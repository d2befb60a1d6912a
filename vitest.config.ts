import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Some tests start servers and measure time: files run in processes of their own, two at a time.
    pool: "forks",
    maxWorkers: 2,
  },
});
