import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, "../..");
const INSTALLED_BYTES_MAX = 40 * 1024 * 1024;

let folder: string;
let tarball: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ragline-package-"));
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: ROOT,
    maxBuffer: 2 ** 24,
  });
  const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf("[\n"))) as [{ filename: string }];
  tarball = join(folder, filename);
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "user", private: true, type: "module" }));
  await run("npm", ["install", "--no-audit", "--no-fund", tarball], { cwd: folder });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the packed package", () => {
  it(`takes at most ${INSTALLED_BYTES_MAX} bytes installed`, async () => {
    const { stdout } = await run("du", ["-sk", "node_modules"], { cwd: folder });
    expect(Number.parseInt(stdout, 10) * 1024).toBeLessThanOrEqual(INSTALLED_BYTES_MAX);
  });

  it("runs no install script", async () => {
    const lock = JSON.parse(await readFile(join(folder, "package-lock.json"), "utf8")) as {
      packages: Record<string, { hasInstallScript?: boolean }>;
    };
    const scripted = Object.entries(lock.packages).filter(([, { hasInstallScript }]) => hasInstallScript);
    expect(scripted.map(([name]) => name)).toEqual([]);
  });

  it("holds neither sources nor tests, and its licences", async () => {
    const files = await readdir(join(folder, "node_modules/ragline"));
    expect(files).not.toContain("src");
    expect(files).not.toContain("test");
    expect(files).toEqual(expect.arrayContaining(["LICENSE", "NOTICE", "dist", "assets", "bin", "docs", "deploy"]));
  });

  it("says what to install where a model is asked for whose runtime is not there", async () => {
    await writeFile(join(folder, "onnx.yaml"), "embed: { use: onnx, model: all-MiniLM-L6-v2 }\n");
    const path = `${join(ROOT, "node_modules/.bin")}${delimiter}${process.env.PATH}`;
    const asked = run("npx", ["--no-install", "ragline", "-c", "onnx.yaml", "status"], {
      cwd: folder,
      env: { ...process.env, PATH: path },
    });
    await expect(asked).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining("npm install @huggingface/transformers@4"),
    });
  });

  it("has types that a strict project can use", async () => {
    const source = `import { createRagline, type AnswerEvent } from "ragline";
      export async function texts(): Promise<string[]> {
        const ragline = await createRagline({ search: { file: "x.db" } });
        const all: string[] = [];
        for await (const event of ragline.ask({ question: "?" })) {
          const one: AnswerEvent = event;
          if (one.type === "text-delta") all.push(one.text);
        }
        return all;
      }`;
    await writeFile(join(folder, "use.ts"), source);
    const strict = ["--strict", "--noEmit", "--module", "nodenext", "--target", "es2024", "--types", "node"];
    await run(
      join(ROOT, "node_modules/.bin/tsc"),
      [...strict, "--typeRoots", join(ROOT, "node_modules/@types"), "use.ts"],
      {
        cwd: folder,
      },
    );
  });

  for (const version of ["22", "24"]) {
    it(`runs the demo on Node ${version}`, async () => {
      const place = join(folder, `node-${version}`);
      await run("npm", ["install", "--no-audit", "--no-fund", "--no-save", "--prefix", place, `node@${version}`], {
        cwd: folder,
      });
      const path = `${join(place, "node_modules/.bin")}${delimiter}${process.env.PATH}`;
      const { stdout: found } = await run("node", ["--version"], { cwd: folder, env: { ...process.env, PATH: path } });
      expect(found.startsWith(`v${version}.`)).toBe(true);
      const { stdout, stderr } = await run("npx", ["--no-install", "ragline", "demo", "--once", "--port", "0"], {
        cwd: folder,
        env: { ...process.env, PATH: path },
      });
      expect(stdout).toMatch(/documents: \d+ added/);
      expect(stdout).toMatch(/\[1\]/);
      expect(stderr).not.toMatch(/Warning|Error/);
    });
  }
});
