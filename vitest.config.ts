import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const report = process.env.RAGLINE_TEST_REPORT;
const common = {
  testTimeout: 30_000,
  hookTimeout: 60_000,
  pool: "forks",
  // Node runs the sources as they are, here as in the processes that tests start; nothing is mocked that would need Vite.
  experimental: { viteModuleRunner: false, nodeLoader: false },
  globalSetup: ["test/support/packed-vocabulary.ts"],
  setupFiles: ["test/support/compiled.ts"],
  // Some tests measure time and start processes: no more files at once than a small machine has cores.
  maxWorkers: 2,
  // Bounds on latency are met or missed by whatever else the machine does: asked once more in CI, and shown as a retry.
  retry: process.env.CI ? 1 : 0,
  // Tests, and the processes that they start from the sources, compile each file once, not each time.
  env: { NODE_COMPILE_CACHE: fileURLToPath(new URL("node_modules/.cache/compiled", import.meta.url)) },
} as const;

export default defineConfig({
  test: {
    reporters: report ? ["default", ["json", { outputFile: report }]] : ["default"],
    projects: [
      { test: { ...common, name: "test", include: ["test/**/*.test.ts"], exclude: ["test/slow/**"] } },
      {
        test: {
          ...common,
          name: "package",
          include: ["test/slow/package.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      { test: { ...common, name: "deploy", include: ["test/slow/deploy*.test.ts"], testTimeout: 300_000 } },
      { test: { ...common, name: "crash", include: ["test/slow/{crash,memory}.test.ts"], testTimeout: 300_000 } },
      { test: { ...common, name: "sessions", include: ["test/slow/session*.test.ts"], hookTimeout: 120_000 } },
      {
        test: {
          ...common,
          name: "traces",
          include: ["test/slow/traces.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
      { test: { ...common, name: "retrieval", include: ["test/slow/retrieval.test.ts"], testTimeout: 300_000 } },
      { test: { ...common, name: "postgres", include: ["test/slow/postgres*.test.ts"], testTimeout: 120_000 } },
      { test: { ...common, name: "load", include: ["test/slow/load.test.ts"], testTimeout: 180_000 } },
      {
        test: {
          ...common,
          name: "engines",
          include: ["test/slow/engines/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          ...common,
          name: "failures",
          include: ["test/slow/failures*.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          ...common,
          name: "cluster",
          include: ["test/slow/cluster.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 400_000,
        },
      },
      {
        test: {
          ...common,
          name: "gateway",
          include: ["test/slow/gateway.test.ts"],
          testTimeout: 60_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          ...common,
          name: "llama",
          include: ["test/slow/llama.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
