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

  /** The oldest one of `engines`, and the latest of each line. */
  describe.each(["22.13.0", "22", "24"])("on Node %s", (version) => {
    let env: NodeJS.ProcessEnv;
    const ragline = (...values: string[]) => run("npx", ["--no-install", "ragline", ...values], { cwd: folder, env });

    beforeAll(async () => {
      const place = join(folder, `node-${version}`);
      const quietly = ["--no-audit", "--no-fund", "--no-save"];
      await run("npm", ["install", ...quietly, "--prefix", place, `node@${version}`], { cwd: folder });
      env = { ...process.env, PATH: `${join(place, "node_modules/.bin")}${delimiter}${process.env.PATH}` };
      const { stdout: found } = await run("node", ["--version"], { cwd: folder, env });
      expect(`${found.trim()}.`.startsWith(`v${version}.`)).toBe(true);
    });

    it("runs the demo", async () => {
      const { stdout, stderr } = await ragline("demo", "--once", "--port", "0");
      expect(stdout).toMatch(/documents: \d+ added/);
      expect(stdout).toMatch(/\[1\]/);
      expect(stderr).not.toMatch(/Warning|Error/);
    });

    it("processes share a new file, and a conversation goes on", async () => {
      const config = `${version}.yaml`;
      await writeFile(join(folder, config), `search: { file: ${version}.db }\n`);
      const index = () => ragline("-c", config, "index", join(ROOT, "examples/handbook"));
      await Promise.all([index(), index()]);
      const asked = ["퇴직금은 언제까지 지급하나요?", "연차휴가는 며칠인가요?"].map((question) => {
        return ragline("-c", config, "ask", "--json", "--session", version, question);
      });
      for (const { stdout } of await Promise.all(asked)) expect(stdout).toMatch(/"finishReason":"stop"/);
      const { stdout } = await ragline("-c", config, "ask", "--session", version, "그럼 첫해에는요?");
      expect(stdout).toMatch(/\[1\]/);
    });

    it("runs a checkout, or says what that takes", async () => {
      const script = `node ${join(ROOT, "bin/ragline.js")} --version 2>&1 || true`;
      const { stdout } = await run("bash", ["-c", script], { cwd: folder, env });
      expect(stdout).toMatch(
        version === "22.13.0" ? /^ragline: a checkout needs Node 22\.18[^\n]*\n$/ : /^\d+\.\d+\.\d+\n$/,
      );
    });

    it("with few open files it runs, or says how many it takes", async () => {
      const limited = async (files: number) => {
        const script = `ulimit -n ${files}; node node_modules/ragline/bin/ragline.js status 2>&1 || true`;
        return (await run("bash", ["-c", script], { cwd: folder, env })).stdout;
      };
      expect(await limited(256)).toMatch(/^ragline \d/);
      const few = version === "22.13.0" ? /^ragline: .*too few files open: 256[^\n]*\n$/ : /^ragline \d/;
      expect(await limited(64)).toMatch(few);
    });

    it("a write that fails takes nobody else's with it", async () => {
      const source = `import { createRagline } from "ragline";
        import { DatabaseSync } from "node:sqlite";
        const file = "failing-${version}.db";
        const ragline = await createRagline({ search: { file }, log: { level: "silent" } });
        const put = (id) => ragline.addDocument({ id, text: "연차는 15일이다." }).then(() => "written", ({ code }) => code);
        const other = new DatabaseSync(file);
        other.exec("CREATE TRIGGER no BEFORE INSERT ON documents WHEN new.id = 'no' BEGIN SELECT RAISE(ABORT, 'no'); END");
        const together = await Promise.all([put("a"), put("no"), put("b")]);
        console.log([...together, await put("c")].join(" "));
        other.exec("BEGIN IMMEDIATE; ROLLBACK");
        await ragline.close();`;
      await writeFile(join(folder, "failing.mjs"), source);
      const { stdout } = await run("node", ["failing.mjs"], { cwd: folder, env });
      expect(stdout.trim()).toBe("written dependency_failed written written");
    });
  });
});
