import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { configurationPage } from "../scripts/configuration-page.ts";
import { configSchema } from "../src/config.ts";
import { ERRORS } from "../src/errors.ts";
import { STEPS } from "../src/types.ts";

const SRC = resolve(import.meta.dirname, "../src");

interface Row {
  readonly parts: readonly string[];
  readonly mayImport: readonly string[];
}

/** The table of ARCHITECTURE.md: files and folders of src, and what they may import besides each other. */
const rows: Row[] = [
  ...readFileSync(resolve(SRC, "../ARCHITECTURE.md"), "utf8").matchAll(/^\| (`[^|]+) \|[^|]+\| ([^|]+) \|$/gm),
].map(([, names = "", imported = ""]) => ({
  parts: [...new Set([...names.matchAll(/`([\w-]+)(?:\.ts|\/)`/g)].map(([, name = ""]) => name))],
  mayImport: imported === "nothing" ? [] : imported.split(", "),
}));

interface Import {
  readonly from: string;
  readonly to: string;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name));
}

function importsOf(file: string): Import[] {
  const source = readFileSync(file, "utf8");
  const specifiers = [...source.matchAll(/(?:from|import)\s*\(?\s*"(\.[^"]+)"/g)].map(
    ([, specifier = ""]) => specifier,
  );
  return specifiers.map((specifier) => ({
    from: relative(SRC, file),
    to: relative(SRC, resolve(dirname(file), specifier)),
  }));
}

const part = (path: string) => path.split("/")[0]?.replace(/\.ts$/, "") ?? "";
const files = filesBelow(SRC);
const imports = files.flatMap(importsOf);

describe("architecture", () => {
  it("every part of src stands in the table once", () => {
    const parts = [...new Set(files.map((file) => part(relative(SRC, file))))];
    expect(rows.flatMap((row) => row.parts).sort()).toEqual(parts.sort());
  });

  it.each(rows)("$parts.0 imports what the table says, and rows above its own alone", ({ parts, mayImport }) => {
    const knowsErrors = !parts.includes("types") && !parts.includes("ports");
    const free = [...parts, "types", ...(knowsErrors ? ["errors"] : [])];
    const imported = new Set(imports.filter(({ from }) => parts.includes(part(from))).map(({ to }) => part(to)));
    const others = [...imported].filter((name) => !free.includes(name)).sort();
    const above = rows
      .slice(
        0,
        rows.findIndex((row) => row.parts === parts),
      )
      .flatMap((row) => row.parts);
    if (mayImport[0] !== "all of the above") expect(others).toEqual(mayImport);
    expect(others.filter((name) => !above.includes(name))).toEqual([]);
  });

  it("every relative import names a file that exists", () => {
    expect(imports.filter(({ to }) => !existsSync(join(SRC, to)))).toEqual([]);
  });

  it("only the composition root imports adapters", () => {
    const others = imports.filter(({ from, to }) => part(to) === "adapters" && part(from) !== "adapters");
    expect([...new Set(others.map(({ from }) => part(from)))]).toEqual(["compose"]);
  });

  it("a package that is bundled into one file is imported there alone: no other would find it", () => {
    const build = readFileSync(resolve(SRC, "../scripts/build.ts"), "utf8");
    const table = /const BUNDLED\b[^=]*= \{(.*?)\n\};/s.exec(build)?.[1] ?? "";
    const bundled = new Map<string, string>();
    for (const [, file = "", packages = ""] of table.matchAll(/"([^"]+)": \[(.*?)\]/gs)) {
      for (const [, name = ""] of packages.matchAll(/"([^"]+)"/g)) bundled.set(name, `${file}.ts`);
    }
    expect(bundled.get("undici")).toBe("adapters/http/connections.ts");
    const broken = files.flatMap((file) => {
      const values = readFileSync(file, "utf8").matchAll(/^import (?!type\b)[^;]*?from "([^."][^"]*)"/gm);
      const names = [...values].map(([, name = ""]) => name);
      return names
        .filter((name) => bundled.has(name) && bundled.get(name) !== relative(SRC, file))
        .map((name) => `${relative(SRC, file)}: ${name}`);
    });
    expect(broken).toEqual([]);
  });

  it("an adapter imports nothing of another port's adapters but the technology they share", () => {
    const shared = ["sqlite", "postgres", "redis", "http", "llama", "ai-sdk", "onnx", "grpc", "simulated"];
    const broken = imports.filter(({ from, to }) => {
      const [source, target] = [from.split("/")[1] ?? "", to.split("/")[1] ?? ""];
      return part(from) === "adapters" && part(to) === "adapters" && source !== target && !shared.includes(target);
    });
    expect(broken).toEqual([]);
  });

  it("steps never import steps: only ask.ts, begin.ts and find.ts do", () => {
    const steps = new Set<string>(STEPS.map((step) => `pipeline/${step}.ts`));
    const broken = imports.filter(
      ({ from, to }) =>
        steps.has(to) &&
        part(from) === "pipeline" &&
        !["pipeline/ask.ts", "pipeline/begin.ts", "pipeline/find.ts"].includes(from),
    );
    expect(broken).toEqual([]);
  });

  it("every step has its file, and ask.ts is at most 120 lines", () => {
    for (const step of STEPS) expect(existsSync(join(SRC, "pipeline", `${step}.ts`)), step).toBe(true);
    expect(readFileSync(join(SRC, "pipeline/ask.ts"), "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(120);
  });

  it("only config.ts and the command line's debug switch read the environment", () => {
    const readers = files
      .filter((file) => /process\.env/.test(readFileSync(file, "utf8")))
      .map((file) => relative(SRC, file));
    expect(readers.sort()).toEqual(["cli/main.ts", "config.ts"]);
  });

  it("names avoid the words that say nothing", () => {
    const pattern = /\b(?:class|interface|type|function|const)\s+\w*(?:Manager|Helper|Util|Utils|Impl)\b/;
    expect(files.filter((file) => pattern.test(readFileSync(file, "utf8")))).toEqual([]);
  });

  it("no file is longer than 320 lines", () => {
    const long = files
      .map((file) => ({ file: relative(SRC, file), lines: readFileSync(file, "utf8").split("\n").length }))
      .filter(({ lines }) => lines > 320);
    expect(long).toEqual([]);
  });

  it("every step's word is a key of the configuration", () => {
    expect(Object.keys(configSchema.shape)).toEqual(expect.arrayContaining([...STEPS]));
  });

  it("the documented error table is the one in errors.ts", () => {
    const page = readFileSync(resolve(SRC, "../docs/http.md"), "utf8");
    const documented = [...page.matchAll(/^\| `(\w+)` \| (\d{3}) \| (yes|no) \| (.+) \|$/gm)].map((row) =>
      row.slice(1),
    );
    const table = Object.entries(ERRORS).map(([code, { status, retryable, meaning }]) => [
      code,
      String(status),
      retryable ? "yes" : "no",
      meaning,
    ]);
    expect(documented).toEqual(table);
  });

  it("docs/configuration.md is what the schema says", () => {
    expect(readFileSync(resolve(SRC, "../docs/configuration.md"), "utf8")).toBe(configurationPage());
  });
});
