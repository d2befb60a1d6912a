import { writeFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config.ts";
import { temporaryFolder } from "../support/folder.ts";

const KEY = { OPENAI_API_KEY: "sk-of-the-environment", OPENAI_MODEL: "m" };
const generateOf = (generate: object, environment: Record<string, string>) =>
  parseConfig({ generate }, environment).generate;

describe("a key of the environment", () => {
  test.each([
    ["to OpenAI, where no server is named", {}, KEY],
    ["to OpenAI, where it is named", { use: "openai", baseUrl: "https://api.openai.com/v1" }, KEY],
    ["to the server that the environment names", {}, { ...KEY, OPENAI_BASE_URL: "http://vllm:8000/v1" }],
    [
      "to that server by several paths",
      { use: "openai", baseUrl: ["http://vllm:8000/a/v1", "http://vllm:8000/b/v1"] },
      { ...KEY, OPENAI_BASE_URL: "http://vllm:8000/v1" },
    ],
  ])("goes %s", (_, generate, environment) => {
    expect(generateOf(generate, environment)).toMatchObject({ use: "openai", apiKey: KEY.OPENAI_API_KEY, model: "m" });
  });

  test.each([
    ["another server", { use: "openai", model: "x", baseUrl: "http://elsewhere:8000/v1" }, KEY],
    [
      "another of several",
      { use: "openai", model: "x", baseUrl: ["https://api.openai.com/v1", "http://else/v1"] },
      KEY,
    ],
    [
      "OpenAI, where the environment names another server",
      { use: "openai", model: "x", baseUrl: "https://api.openai.com/v1" },
      { ...KEY, OPENAI_BASE_URL: "http://vllm:8000/v1" },
    ],
  ])("does not go to %s", (_, generate, environment) => {
    expect(generateOf(generate, environment)).toMatchObject({ use: "openai", model: "x" });
    expect(generateOf(generate, environment)).not.toHaveProperty("apiKey");
  });
});

describe("a file in a value", () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());
  const keyOf = (key: string) =>
    parseConfig({ server: { callers: [{ name: "web", key }] } }, { NAME: "web" }).server.callers?.[0]?.key;
  test.each([
    ["web-0123456789abcdef\n", "web-0123456789abcdef"],
    ["web-0123456789abcdef\r\n", "web-0123456789abcdef"],
    ["web-0123456789abcdef", "web-0123456789abcdef"],
  ])("is its text without the line end at its end: %j", (text, key) => {
    writeFileSync(folder.file("key"), text);
    expect(keyOf(`\${file:${folder.file("key")}}`)).toBe(key);
    expect(keyOf(`\${NAME}-\${file:${folder.file("key")}}`)).toBe(`web-${key}`);
  });

  test.each(["web-${HOME}-0123456789", "web-${NOBODY_SETS_THIS}", "web-${file:/nowhere}-0123"])(
    "may read like a variable: %s",
    (key) => {
      writeFileSync(folder.file("key"), key);
      const config = parseConfig({ server: { callers: [{ name: "web", key: `\${file:${folder.file("key")}}` }] } });
      expect(parseConfig({ ...config, tenant: "other" }).server.callers?.[0]?.key).toBe(key);
    },
  );

  test("that is not there, or is a folder, is a problem of its place", () => {
    for (const [file, code] of [
      [folder.file("none"), "ENOENT"],
      [folder.path, "EISDIR"],
    ] as const) {
      expect(() => keyOf(`\${file:${file}}`)).toThrow(
        `server.callers.0.key: the file ${file} cannot be read (${code})`,
      );
    }
  });

  test("is no variable of that name with a fallback", () => {
    expect(keyOf("${file:-file-0123456789abcdef}")).toBe("file-0123456789abcdef");
  });
});
