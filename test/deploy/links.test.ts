import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const { files } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { files: string[] };
const pages = ["README.md", "ARCHITECTURE.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)];
/** Read in a checkout only. */
const CHECKOUT = ["CONTRIBUTING.md", "src"];

test.each(pages)("%s: what it links to is there, and in the package", (page) => {
  const text = readFileSync(join(ROOT, page), "utf8");
  const targets = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, target = ""]) => target);
  for (const target of targets.filter((one) => !/^\w+:/.test(one))) {
    const path = relative(ROOT, join(ROOT, dirname(page), target));
    expect(existsSync(join(ROOT, path)), target).toBe(true);
    const [top = ""] = path.split("/");
    if (!CHECKOUT.includes(top)) expect([target, files.includes(top)]).toEqual([target, true]);
  }
});
