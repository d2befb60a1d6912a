import { execFileSync } from "node:child_process";
import { copyFile, mkdir, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/**
 * Compiles `src` to `dist`. The token counter's vocabulary is bundled into its adapter: the package it comes from weighs
 * 30 MB, the one vocabulary 2.
 */
process.chdir(fileURLToPath(new URL("..", import.meta.url)));
await rm("dist", { recursive: true, force: true });
await import("./kernel.ts");
execFileSync("tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
const counter = "dist/adapters/token-counter/o200k.js";
await build({
  entryPoints: [counter],
  outfile: counter,
  allowOverwrite: true,
  bundle: true,
  minify: true,
  platform: "node",
  format: "esm",
  target: "node22",
  logLevel: "warning",
});
await mkdir("dist/licenses", { recursive: true });
await copyFile("node_modules/gpt-tokenizer/LICENSE", "dist/licenses/gpt-tokenizer.txt");
