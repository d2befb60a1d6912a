import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Summary } from "../../src/load/summary.ts";
import { temporaryFolder } from "../support/folder.ts";
import { stubServer } from "../support/stub-server.ts";
import { finish, printed, ragline, start } from "./run.ts";

const CONFIG = `
embed: { use: simulated, serviceMs: 4, itemMs: 0, slots: 8 }
rerank: { use: simulated, serviceMs: 100, itemMs: 0, slots: 1, timeoutMs: 30000 }
generate: { use: simulated, firstTokenMs: 20, tokenMs: 2, tokens: 20, slots: 64 }
cache: { use: none }
server: { port: 0 }
`;

describe("measuring from the command line", () => {
  const folder = temporaryFolder();
  let server: ReturnType<typeof start>;
  let url: string;

  beforeAll(async () => {
    await writeFile(folder.file("ragline.yaml"), CONFIG);
    const pages = {
      "휴가.md": "# 휴가 규정\n\n연차 휴가는 15일입니다.",
      "pay.md": "# Severance\n\nPaid within 14 days.",
    };
    for (const [name, text] of Object.entries(pages)) await writeFile(folder.file(name), text);
    await ragline(folder.path, "index", "휴가.md", "pay.md");
    server = start(folder.path, ["serve"]);
    const text = await printed(server, /listening on (\S+);/);
    expect(text).toContain("emulated: embed, rerank, generate");
    url = /listening on (\S+);/.exec(text)?.[1] ?? "";
  });
  afterAll(async () => {
    const ended = finish(server);
    server.kill("SIGTERM");
    await ended;
    folder.remove();
  });

  test("ragline load: figures, a report, JSON on the last line", { timeout: 60_000 }, async () => {
    const args = ["load", "--url", url, "--arrivals", "constant", "--rate", "5", "--seconds", "3"];
    const { code, stdout, stderr } = await ragline(folder.path, ...args, "--report", "load.html", "--json");
    expect(stderr).toBe("");
    expect(code).toBe(0);
    const summary = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Summary;
    expect(summary).toMatchObject({
      asked: 14,
      completed: 14,
      errors: {},
      emulated: ["embed", "rerank", "generate"],
      questions: "2 questions from the titles of 2 documents",
    });
    expect(summary.ttftMs?.p50).toBeGreaterThanOrEqual(124);
    const largest = summary.stages.ttft.toSorted((a, b) => b.share - a.share)[0];
    expect(largest?.part).toBe("rerank");
    expect(stdout).toContain("emulated: embed, rerank, generate");
    expect(await readFile(folder.file("load.html"), "utf8")).toContain("Emulated stages");
  });

  test("a trace, conversations in order", { timeout: 60_000 }, async () => {
    const rows = [0, 30, 35, 60, 61, 90].map((t, n) => JSON.stringify({ t, session: `s${n % 2}` }));
    await writeFile(folder.file("trace.jsonl"), rows.join("\n"));
    const args = ["load", "--url", url, "--trace", "trace.jsonl", "--compress", "60", "--json"];
    const { stdout } = await ragline(folder.path, ...args);
    expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({ asked: 6, completed: 6 });
    expect(stdout).toContain("6 requests of 2 conversations, 60 times as fast");
  });

  test("answers that fail are exit code 1, unless so many may", { timeout: 60_000 }, async () => {
    const args = ["load", "--url", url, "--arrivals", "constant", "--rate", "5", "--seconds", "1", "--timeout", "0.1"];
    const failing = await ragline(folder.path, ...args);
    expect(failing.stdout).toContain("4 client_timeout");
    expect(failing.stderr).toContain("4 of 4 answers failed; --failed-max allows 0%");
    expect(failing.code).toBe(1);
    expect((await ragline(folder.path, ...args, "--failed-max", "100")).code).toBe(0);
  });

  test("stages that may cost money are left out, and refused without --yes where they are named", async () => {
    const paid = "generate: { use: openai, baseUrl: 'http://127.0.0.1:9/v1', model: x }\n";
    await writeFile(folder.file("paid.yaml"), paid);
    const named = await ragline(folder.path, "-c", "paid.yaml", "profile", "--stages", "generate");
    expect(named.code).toBe(2);
    expect(named.stderr).toContain("may cost money");
    expect(named.stderr).toContain("--yes");
  });

  test("a server that hangs is no wrong address", { timeout: 40_000 }, async () => {
    const askedAt: number[] = [];
    const hanging = await stubServer(() => {
      askedAt.push(performance.now());
    });
    const { code, stderr } = await ragline(
      folder.path,
      "bottleneck",
      "--url",
      `${hanging.url}/metrics`,
      "--seconds",
      "0",
    );
    expect(stderr).toContain("no answer within 10 s: the server hangs");
    // Each has 10 s: what is asked at once has them at the same time.
    expect((askedAt[1] ?? Number.NaN) - (askedAt[0] ?? 0)).toBeLessThan(5_000);
    expect(stderr).not.toContain("--url");
    expect(code).toBe(1);
    await hanging.close();
  });

  test.each([
    [["load", "--url", "http://127.0.0.1:2"], 1, "no Ragline answers"],
    [["load", "--url", "ftp://x"], 2, "http or https"],
    [["load", "--rate", "0"], 2, "must be a number from 0.001"],
    [["load", "-H", "nonsense"], 2, "name: value"],
    [["profile", "--stages", "compact"], 2, "compact unknown"],
    [["bottleneck", "--profile", "absent.json"], 2, "cannot be read"],
    [["bottleneck", "--url", "http://127.0.0.1:9", "--seconds", "0"], 1, "nobody answers"],
  ] as const)("%s: exit %i, %s", async (args, exit, message) => {
    const { code, stderr } = await ragline(folder.path, ...args);
    expect(stderr).toContain(message);
    expect(stderr.split("ECONNREFUSED").length).toBeLessThanOrEqual(2);
    expect(code).toBe(exit);
  });
});

test("a server with callers: load and bottleneck say that they lack a key, and use one", {
  timeout: 60_000,
}, async () => {
  const folder = temporaryFolder();
  const key = "measuring-0123456789";
  const may = "[ask, observe]";
  const gateway = "gateway-0123456789ab";
  const callers = `callers: [{ name: measuring, key: ${key}, may: ${may} }, { name: gateway, key: ${gateway}, may: ${may}, forOthers: true }]`;
  await writeFile(folder.file("ragline.yaml"), CONFIG.replace("{ port: 0 }", `{ port: 0, ${callers} }`));
  await writeFile(folder.file("휴가.md"), "# 휴가 규정\n\n연차 휴가는 15일입니다.");
  await ragline(folder.path, "index", "휴가.md");
  const server = start(folder.path, ["serve"]);
  const ended = finish(server);
  try {
    const url = /listening on (\S+);/.exec(await printed(server, /listening on (\S+);/))?.[1] ?? "";
    const load = ["load", "--url", url, "--rate", "5", "--seconds", "1", "--json"];
    const bottleneck = ["bottleneck", "--url", url, "--seconds", "0"];
    for (const [args, rights] of [
      [load, "ask and observe"],
      [bottleneck, "observe"],
    ] as const) {
      for (const wrong of [[], ["--header", "authorization: Bearer nobody-0123456789"]]) {
        const refused = await ragline(folder.path, ...args, ...wrong);
        expect(refused.code).toBe(1);
        expect(refused.stderr).toContain(`wants a key that may ${rights}: --header "authorization: Bearer <key>"`);
      }
    }
    const forNobody = await ragline(folder.path, ...load, "--header", `authorization: Bearer ${gateway}`);
    expect(forNobody.stderr).toContain(`${url}: x-ragline-tenant: must be sent`);
    const header = ["--header", `authorization: Bearer ${key}`];
    const loaded = await ragline(folder.path, ...load, ...header);
    expect(loaded.code).toBe(0);
    expect(JSON.parse(loaded.stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({ errors: {} });
    expect((await ragline(folder.path, ...bottleneck, ...header)).stdout).toContain("throughput is bound by:");
  } finally {
    server.kill("SIGTERM");
    await ended;
    folder.remove();
  }
});
