import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createRagline, type Ragline } from "../../src/index.ts";
import { ragline as command, finish, start } from "../cli/run.ts";
import { until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { writeEmbedder, writeOverlapReranker } from "../support/onnx/models.ts";
import { addPages, openRagline, serveRagline } from "../support/ragline.ts";
import { type StubHub, stubHub } from "../support/stub-hub.ts";

const folder = temporaryFolder();
let hub: StubHub;

beforeAll(async () => {
  writeEmbedder(folder.file("tiny"));
  writeOverlapReranker(folder.file("overlap"));
  hub = await stubHub("Xenova/tiny", folder.file("tiny"));
});
afterAll(async () => {
  await hub.close();
  folder.remove();
});

const models = (name: string, more = {}) => ({ cacheFolder: folder.file(name), endpoint: hub.url, ...more });

describe("models in process", () => {
  test("missing: nothing is fetched at the start, readiness says how to get it, answers are degraded; pulled: it works without a restart", async () => {
    const config = { embed: { use: "onnx", model: "Xenova/tiny" }, models: models("pulled") } as const;
    const before = hub.requests.length;
    const served = await serveRagline(config);
    try {
      expect(hub.requests).toHaveLength(before);
      const readiness = await fetch(`${served.url}/readyz`);
      const lines = (await readiness.json()) as { missing: string[]; degraded: string[] };
      expect([readiness.status, lines.missing]).toEqual([503, [expect.stringMatching(/^search: no documents/)]]);
      expect(lines.degraded.join("\n")).toContain("`ragline models pull Xenova/tiny` fetches it");
      await expect(addPages(served.ragline)).rejects.toMatchObject({ code: "dependency_failed", retryable: false });
      const { degraded } = await served.ragline.search({ query: "휴가" });
      expect(degraded).toMatchObject([{ step: "embed", reason: "dependency_failed" }]);

      const env = { HF_ENDPOINT: hub.url, HF_HUB_CACHE: folder.file("pulled") };
      const pulled = await finish(start(folder.path, ["models", "pull", "Xenova/tiny"], env));
      expect(pulled).toMatchObject({ code: 0 });
      expect(pulled.stdout).toMatch(/^Xenova\/tiny, fp32: [\d.]+ MB, [\d.]+ MB fetched\n/);
      expect(pulled.stderr).toMatch(/fetching: 100% · .* MB of .* MB/);

      await addPages(served.ragline);
      const found = await served.ragline.search({ query: "연차 휴가" });
      expect(found.degraded).toEqual([]);
      expect(found.hits[0]?.passage.documentId).toBe("hr/휴가.md");
      expect((await fetch(`${served.url}/readyz`)).status).toBe(200);
      const status = (await (await fetch(`${served.url}/v1/status`)).json()) as Awaited<ReturnType<Ragline["status"]>>;
      expect(status.indexedWith).toBe("Xenova/tiny/fp32/32");
      expect(status.models.embed).toMatchObject({ starts: 1 });
      expect(status.models.embed?.inputs).toBeGreaterThanOrEqual(4);
    } finally {
      await served.close();
    }
  });

  test("told to, the start fetches what is missing", async () => {
    const config = { embed: { use: "onnx", model: "tiny" }, models: models("told", { download: true }) } as const;
    const { ragline, close } = await openRagline(config);
    try {
      await addPages(ragline);
      expect((await ragline.ready()).missing).toEqual([]);
    } finally {
      await close();
    }
  });

  test("a model that dies under load takes no answer down: the words search on, and it comes back", async () => {
    const config = {
      embed: { use: "onnx", model: folder.file("tiny") },
      rerank: { use: "onnx", model: folder.file("overlap") },
      cache: { use: "none" },
    } as const;
    const { ragline, close } = await openRagline(config);
    try {
      await addPages(ragline);
      const { models: counts } = await ragline.status();
      expect(counts).toMatchObject({ embed: { starts: 1 }, rerank: { starts: 1 } });
      const asking = Array.from({ length: 30 }, () => ragline.answer({ question: "연차 휴가는 며칠인가요?" }));
      for (const pid of childrenOf(process.pid)) process.kill(pid, "SIGKILL");
      const answers = await Promise.all(asking);
      expect(answers.every(({ text }) => text.includes("15일"))).toBe(true);
      expect(new Set(answers.flatMap(({ degraded }) => degraded.map(({ step }) => step)))).not.toContain("search");
      await until("both answer again", async () => {
        const { degraded } = await ragline.search({ query: "연차 휴가" });
        return degraded.length === 0;
      });
      expect((await ragline.status()).models).toMatchObject({ embed: { starts: 2 }, rerank: { starts: 2 } });
    } finally {
      await close();
    }
  });

  test("an index made with another model is refused by name", async () => {
    const first = await openRagline({ embed: { use: "onnx", model: folder.file("tiny") } });
    try {
      await addPages(first.ragline);
      const other = await createRagline({
        embed: { use: "onnx", model: folder.file("tiny"), queryPrefix: "query: " },
        search: { file: first.folder.file("ragline.db") },
      } as never);
      const { missing } = await other.ready();
      expect(missing.join()).toMatch(/made with tiny\/fp32\/32, configured is tiny\/fp32\/32\/[0-9a-f]{8}/);
      await other.close();
    } finally {
      await first.close();
    }
  });

  test("`ragline index` with a model that is missing fails with the command that fetches it", async () => {
    writeFileSync(folder.file("ragline.yaml"), "embed: { use: onnx, model: Xenova/none }\n");
    writeFileSync(folder.file("note.md"), "# 휴가\n\n15일이다.");
    const { code, stderr } = await command(folder.path, "index", "note.md");
    expect(code).toBe(1);
    expect(stderr).toContain("ragline models pull Xenova/none");
  });
});

/** Processes that this one started and that run a model. */
function childrenOf(parent: number): number[] {
  return execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, ppid, ...args]) => Number(ppid) === parent && args.join(" ").includes("model-child"))
    .map(([pid]) => Number(pid));
}
