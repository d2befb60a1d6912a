import { execFileSync } from "node:child_process";
import { copyFile, glob, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin, transform } from "esbuild";
import { packO200k } from "../src/adapters/token-counter/o200k-vocabulary.ts";

/** Packages bundled into the one file that uses them: with what they bring along they would weigh 30 times as much. */
const BUNDLED: Readonly<Record<string, readonly string[]>> = {
  "adapters/http/connections": ["undici"],
  "adapters/token-counter/o200k": ["gpt-tokenizer"],
  "wire/library": [
    "@grpc/grpc-js",
    "@grpc/proto-loader",
    "@js-sdsl/ordered-map",
    "lodash.camelcase",
    "long",
    "protobufjs",
    "@protobufjs/float",
  ],
  "ingest/pdf": ["unpdf"],
  "telemetry/api": ["@opentelemetry/api"],
  "telemetry/prometheus": ["prom-client", "tdigest", "bintrees"],
  "ingest/symbols": ["dingbat-to-unicode"],
  "ingest/xlsx-numbers": ["numfmt"],
  "ingest/markdown-lexer": ["marked"],
  "ingest/markup": ["htmlparser2"],
};

/** Of packages that export CommonJS alone, the modules that they bring as well: of these what is not used is left out. */
const MODULES = { numfmt: fileURLToPath(new URL("../node_modules/numfmt/dist/index.mjs", import.meta.url)) };

/** Leaves Ragline's own files apart. */
const onlyPackages: Plugin = {
  name: "only-packages",
  setup({ onResolve }) {
    onResolve({ filter: /^\.\.?\// }, ({ path, importer, kind }) =>
      kind === "entry-point" || importer.includes("node_modules") ? null : { path, external: true },
    );
  },
};

/** Compiles `src` to `dist`. */
process.chdir(fileURLToPath(new URL("..", import.meta.url)));
await rm("dist", { recursive: true, force: true });
await import("./kernel.ts");
execFileSync("tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
await keepDeclarations("dist/index.d.ts");
for await (const file of glob("dist/**/*.js")) await dropComments(file);
await writeFile("dist/adapters/token-counter/o200k_base.tokens", packO200k());
await mkdir("dist/licenses", { recursive: true });
for (const [name, packages] of Object.entries(BUNDLED)) {
  const file = `dist/${name}.js`;
  await build({
    entryPoints: [file],
    outfile: file,
    allowOverwrite: true,
    bundle: true,
    plugins: [onlyPackages],
    minify: true,
    charset: "utf8",
    alias: MODULES,
    platform: "node",
    format: "esm",
    target: "node22",
    logLevel: "warning",
    // What is written as CommonJS requires Node's own modules.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
  });
  for (const one of packages) {
    await copyFile(`node_modules/${one}/LICENSE`, `dist/licenses/${one.replace("/", "-")}.txt`);
  }
}

/** They stand in the declarations and in the sources; here they would take a disk block in every other file. */
async function dropComments(file: string): Promise<void> {
  const { code } = await transform(await readFile(file, "utf8"), { format: "esm", target: "node22", charset: "utf8" });
  await writeFile(file, code);
}

/** Removes the declarations that no user of the library sees: each takes a disk block or more. */
async function keepDeclarations(entry: string): Promise<void> {
  const kept = new Set<string>();
  const waiting = [resolve(entry)];
  for (let file = waiting.pop(); file; file = waiting.pop()) {
    if (kept.has(file)) continue;
    kept.add(file);
    const text = await readFile(file, "utf8");
    for (const [, path = ""] of text.matchAll(/(?:from|import\() ?"(\.\.?\/[^"]+)\.[jt]s"/g)) {
      waiting.push(resolve(file, "..", `${path}.d.ts`));
    }
  }
  for await (const file of glob("dist/**/*.d.ts")) if (!kept.has(resolve(file))) await rm(file);
}
