import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { locateModel, repositoryOf } from "../../src/hub/cache.ts";
import { type PullProgress, pullModel } from "../../src/hub/pull.ts";
import { folderForTest, temporaryFolder } from "../support/folder.ts";
import { writeEmbedder } from "../support/onnx/models.ts";
import { type StubHub, stubHub } from "../support/stub-hub.ts";

const MODEL = "Xenova/tiny-e5-small";
const source = temporaryFolder();
let hub: StubHub;

beforeAll(async () => {
  const folder = writeEmbedder(source.file("tiny"));
  writeFileSync(join(folder, "README.md"), "# not needed");
  writeFileSync(join(folder, "onnx/model_q4.onnx"), "another one");
  hub = await stubHub(MODEL, folder);
});
beforeEach(() => hub.intercept(null));
afterAll(async () => {
  await hub.close();
  source.remove();
});

function pulling(options: { dtype?: "fp32" | "q4" | "q8"; token?: string; signal?: AbortSignal } = {}) {
  const cacheFolder = folderForTest().file("hub");
  const progress: PullProgress[] = [];
  const { signal = new AbortController().signal } = options;
  const pull = (model = MODEL) =>
    pullModel(model, { endpoint: hub.url, cacheFolder, ...options, signal, onProgress: (now) => progress.push(now) });
  return { cacheFolder, progress, pull };
}

describe("fetching a model from the hub", () => {
  test("brings what is needed into the hub clients' cache, and reports every step of it", async () => {
    const { cacheFolder, progress, pull } = pulling();
    const report = await pull();
    expect(report).toMatchObject({ repository: MODEL, dtype: "fp32", bytesFetched: report.bytesTotal });
    const files = readdirSync(report.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => name);
    expect(files.toSorted()).toEqual([
      "config.json",
      "config.json",
      "model.onnx",
      "modules.json",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
    const original = readFileSync(join(source.file("tiny"), "onnx/model.onnx"));
    expect(readFileSync(join(report.folder, "onnx/model.onnx")).equals(original)).toBe(true);
    expect(locateModel(MODEL, cacheFolder)).toEqual({ folder: report.folder, name: MODEL });
    expect(locateModel("tiny-e5-small", cacheFolder)?.folder).toBe(report.folder);
    expect(progress.at(-1)).toMatchObject({ bytes: report.bytesTotal, bytesTotal: report.bytesTotal });
    expect(progress.map(({ bytes }) => bytes)).toEqual(progress.map(({ bytes }) => bytes).toSorted((a, b) => a - b));
  });

  test("what is there is not fetched again", async () => {
    const { pull } = pulling();
    await pull();
    const before = hub.requests.length;
    expect((await pull()).bytesFetched).toBe(0);
    expect(hub.requests.slice(before).every((path) => path.startsWith("/api/"))).toBe(true);
  });

  test("another dtype is asked for by name; one that is not there is refused", async () => {
    const { pull } = pulling({ dtype: "q4" });
    expect(existsSync(join((await pull()).folder, "onnx/model_q4.onnx"))).toBe(true);
    await expect(pulling({ dtype: "q8" }).pull()).rejects.toThrow(/no ONNX file for dtype q8/);
  });

  test("an unknown model, a private one, and what is no name", async () => {
    await expect(pulling().pull("somebody/nothing")).rejects.toMatchObject({ code: "request_invalid" });
    await expect(pulling().pull("../../etc/passwd")).rejects.toThrow(/not a name on the hub/);
    hub.intercept(({ headers }, response) => {
      if (headers.authorization === "Bearer secret") return false;
      response.writeHead(401).end();
      return true;
    });
    await expect(pulling().pull()).rejects.toThrow(/models\.token/);
    expect((await pulling({ token: "secret" }).pull()).bytesTotal).toBeGreaterThan(0);
  });

  test.each([
    ["cut", (length: number) => length - 10, /was cut|has \d+ bytes/],
    ["shorter than the hub said", () => 100, /was cut|has \d+ bytes/],
  ])("a file that comes %s never takes its place", async (_, sent, message) => {
    hub.intercept(({ url }, response) => {
      if (!url?.startsWith("/cdn/")) return false;
      const content = readFileSync(join(source.file("tiny"), "onnx/model.onnx"));
      response.setHeader("content-length", sent(content.length));
      response.end(content.subarray(0, sent(content.length)));
      return true;
    });
    const { cacheFolder, pull } = pulling();
    await expect(pull()).rejects.toThrow(message);
    expect(locateModel(MODEL, cacheFolder)).toBeNull();
    expect(readdirSync(cacheFolder, { recursive: true }).filter((name) => /onnx$|partial/.test(String(name)))).toEqual([
      expect.stringMatching(/onnx$/),
    ]);
    hub.intercept(null);
    await pull();
    expect(locateModel(MODEL, cacheFolder)).not.toBeNull();
  });

  test("a folder that takes no file is told, and no cut answer of the hub", async () => {
    const { cacheFolder, pull } = pulling();
    writeFileSync(cacheFolder, "");
    await expect(pull()).rejects.toMatchObject({
      code: "dependency_failed",
      message: expect.stringMatching(/config\.json cannot be written\.$/),
      cause: { code: "ENOTDIR" },
    });
  });

  test("a file of the right length with other bytes is refused by its hash", async () => {
    hub.intercept(({ url }, response) => {
      if (!url?.startsWith("/cdn/")) return false;
      response.end(Buffer.alloc(readFileSync(join(source.file("tiny"), "onnx/model.onnx")).length, 7));
      return true;
    });
    await expect(pulling().pull()).rejects.toThrow(/hash/);
  });

  test.each([
    ["status 500", 500, "{}"],
    ["another shape", 200, '{"sha":1}'],
    ["no JSON", 200, "<html>"],
  ])("the hub's answer cannot be used: %s", async (_, status, body) => {
    hub.intercept((_request, response) => {
      response.writeHead(status).end(body);
      return true;
    });
    await expect(pulling().pull()).rejects.toMatchObject({ code: "dependency_failed" });
  });

  test("a caller who leaves ends it, and nothing half stays", async () => {
    const controller = new AbortController();
    const { cacheFolder, pull } = pulling({ signal: controller.signal });
    hub.intercept(({ url }, response) => {
      if (!url?.startsWith("/cdn/")) return false;
      response.write(Buffer.alloc(1000));
      setTimeout(() => controller.abort(new Error("stopped")), 50);
      return true;
    });
    await expect(pull()).rejects.toThrow("stopped");
    expect(readdirSync(cacheFolder, { recursive: true }).some((name) => String(name).includes("partial"))).toBe(false);
  });
});

test("names on the hub", () => {
  expect(repositoryOf("multilingual-e5-small")).toBe("Xenova/multilingual-e5-small");
  expect(repositoryOf("BAAI/bge-small-en-v1.5")).toBe("BAAI/bge-small-en-v1.5");
  for (const none of ["../x", "a/b/c", "", "/etc", "a b", "..", "./x"]) expect(repositoryOf(none), none).toBeNull();
});
