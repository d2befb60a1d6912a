import { readFile, writeFile } from "node:fs/promises";
import { configurationPage } from "./configuration-page.ts";

/** Writes docs/configuration.md from the configuration's schema; with `--check` it only compares, exit code 1 on a difference. */
const file = new URL("../docs/configuration.md", import.meta.url);
const page = configurationPage();
if (!process.argv.includes("--check")) await writeFile(file, page);
else if ((await readFile(file, "utf8")) !== page) {
  console.error("docs/configuration.md is not what the schema says: run `npm run docs`");
  process.exitCode = 1;
}
