import { writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { call, SCOPE, until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { configuration, contentsOfFile, fill, openFile, write } from "../support/migrating.ts";
import { finish, ragline, start } from "./run.ts";

let folder: ReturnType<typeof temporaryFolder>;
const migrate = (...args: string[]) => ragline(folder.path, "migrate", "--from", "a.yaml", "--to", "b.yaml", ...args);
const both = () => Promise.all(["a.db", "b.db"].map((name) => contentsOfFile(folder.file(name))));

async function filled(documents: number): Promise<void> {
  const { index, close } = openFile(folder.file("a.db"));
  await fill(index, documents);
  await close();
}

beforeEach(async () => {
  folder = temporaryFolder();
  for (const name of ["a", "b"]) {
    await writeFile(folder.file(`${name}.yaml`), configuration({ use: "sqlite", file: folder.file(`${name}.db`) }));
  }
});
afterEach(() => folder.remove());

describe("ragline migrate", () => {
  test("moves a collection, says what it did and how to switch, and as JSON", async () => {
    await filled(100);
    const { code, stdout, stderr } = await migrate();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^acme\/handbook: 100 documents copied \(199 passages, [\d,]+\/s\), in 2 passes/);
    expect(stdout).toContain("  source: 100 documents, 199 passages\n  target: 100 documents, 199 passages\n");
    expect(stdout).toMatch(
      / 200 sampled questions: mean overlap of the 10 best 1\.000; the same in the same order for 200\n/,
    );
    expect(stdout).toMatch(/run it again with --since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\n$/);
    const [source, target] = await both();
    expect(target).toEqual(source);
    const again = await migrate("--json", "--questions", "20");
    expect(JSON.parse(again.stdout)).toMatchObject({
      from: "sqlite",
      collections: [
        {
          tenant: "acme",
          collection: "handbook",
          copied: 0,
          problems: [],
          verification: { agreement: { questions: 20, overlap: 1 } },
        },
      ],
    });
  });

  test("moves all collections of a tenant", async () => {
    const { index, close } = openFile(folder.file("a.db"));
    for (const collection of ["하나", "둘"])
      await write(index, "문서", [1], {}, { tenant: "acme", collection, groups: [] });
    await close();
    const { code, stdout } = await migrate("--all");
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/acme\/둘: 1 doc[\s\S]*acme\/하나: 1 doc/),
    });
  });

  test("kill -9 at any time and started again, it ends right, and nothing is copied twice for nothing", {
    timeout: 90_000,
  }, async () => {
    await filled(400);
    const target = openFile(folder.file("b.db"));
    const arrived = async () => (await target.index.status(SCOPE, call())).documents;
    let before = 0;
    for (const share of [20, 80, 200]) {
      const running = start(folder.path, ["migrate", "--from", "a.yaml", "--to", "b.yaml"]);
      const ended = finish(running);
      await until(
        `${share} open documents have arrived`,
        async () => (await arrived()) >= share || running.exitCode !== null,
        20_000,
      );
      running.kill("SIGKILL");
      await ended;
      expect(await arrived()).toBeGreaterThanOrEqual(before);
      before = await arrived();
    }
    await target.close();
    const { code, stdout } = await migrate("--json");
    expect(code).toBe(0);
    const [report] = JSON.parse(stdout).collections;
    expect(report).toMatchObject({ problems: [], verification: { target: { documents: 400 } } });
    expect(report.copied).toBeLessThan(400 - 80);
    const [ours, theirs] = await both();
    expect(theirs).toEqual(ours);
  });

  test("Ctrl-C ends it, and says so", async () => {
    await filled(400);
    const running = start(folder.path, ["migrate", "--from", "a.yaml", "--to", "b.yaml"]);
    const ended = finish(running);
    const target = openFile(folder.file("b.db"));
    const isBegun = async () => (await target.index.list(SCOPE, { limit: 1 }, call())).documents.length > 0;
    await until("something has arrived", isBegun, 20_000);
    running.kill("SIGINT");
    const { code, stderr, stdout } = await ended;
    await target.close();
    if (code === 0) expect(stdout).toContain("400 documents copied");
    else expect({ code, stderr }).toEqual({ code: 1, stderr: "ragline: stopped\n" });
  });

  test("wrong usage is exit code 2, and says what to do", async () => {
    const said = async (...args: string[]) => {
      const { code, stderr } = await ragline(folder.path, "migrate", ...args);
      return `${code} ${stderr}`;
    };
    const ends = ["--from", "a.yaml", "--to", "b.yaml"];
    await writeFile(folder.file("grpc.yaml"), configuration({ use: "grpc", endpoints: ["127.0.0.1:1"] }));
    await writeFile(folder.file("other.yaml"), `{ tenant: other, search: { file: c.db } }`);
    expect(await said(...ends)).toMatch(/^2 .*--from: search\.file: no such file: .*a\.db/);
    await filled(1);
    expect(await said("--from", "a.yaml")).toMatch(/^2 .*--to/);
    expect(await said("--from", "a.yaml", "--to", "a.yaml")).toMatch(/^2 .*same search: block/);
    expect(await said("--from", "a.yaml", "--to", "grpc.yaml")).toMatch(/^2 .*grpc is a stage that serves an index/);
    expect(await said("--from", "a.yaml", "--to", "other.yaml")).toMatch(/^2 .*tenant: acme in --from, other in --to/);
    expect(await said(...ends, "--since", "gestern")).toMatch(/^2 .*--since: gestern is no time/);
    expect(await said(...ends, "--merge", "--prune")).toMatch(/^2 .*give one of them/);
    expect(await said(...ends, "--collection", "empty")).toMatch(/^1 .*nothing is indexed in acme\/empty/);
  });
});
