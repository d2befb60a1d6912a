import { writeFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { loadConfig, parseConfig } from "../../src/config.ts";
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

describe("a variable's text is taken for what is due", () => {
  const environment = { N: "5", RATIO: "0.25", ON: "true", OFF: "false" };
  const embed = { use: "grpc", endpoints: ["h:1"] };

  test("a number, and true or false, however deep", () => {
    const callers = [{ name: "web", key: "0123456789abcdef", requestsMax: "${N}", forOthers: "${ON}" }];
    const breaker = { callsMin: "${N}", failureRatio: "${RATIO}" };
    const input = { embed: { ...embed, hedge: "${OFF}", breaker }, server: { callers } };
    const before = structuredClone(input);
    expect(parseConfig(input, environment)).toMatchObject({
      embed: { hedge: false, breaker: { callsMin: 5, failureRatio: 0.25 } },
      server: { callers: [{ requestsMax: 5, forOthers: true }] },
    });
    expect(input).toEqual(before);
  });

  test.each([
    [{ embed: { ...embed, hedge: "${N}" } }, "embed.hedge: expected boolean, received string"],
    [{ server: { port: "${ON}" } }, "server.port: expected number, received string"],
    [{ server: { port: "${RATIO}" } }, "server.port: expected int, received number"],
  ])("%j says something else", (input, message) => {
    expect(() => parseConfig(input, environment)).toThrow(expect.objectContaining({ message }));
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

  test("that is not UTF-8 is a problem of its place; a byte order mark is no part of it", () => {
    writeFileSync(folder.file("key"), Buffer.from("web-0123456789abcde\xe9", "latin1"));
    expect(() => keyOf(`\${file:${folder.file("key")}}`)).toThrow(
      `server.callers.0.key: the file ${folder.file("key")} is not UTF-8`,
    );
    writeFileSync(folder.file("key"), "\uFEFFweb-0123456789abcdef\r\n");
    expect(keyOf(`\${file:${folder.file("key")}}`)).toBe("web-0123456789abcdef");
  });

  test("is no variable of that name with a fallback", () => {
    expect(keyOf("${file:-file-0123456789abcdef}")).toBe("file-0123456789abcdef");
  });
});

describe("a configuration file", () => {
  const folder = temporaryFolder();
  afterAll(() => folder.remove());
  const file = folder.file("ragline.yaml");

  test("in another encoding is refused, rather than another tenant being served", () => {
    const korean = Buffer.from([0xc7, 0xd1, 0xb1, 0xdb]); // 한글 in CP949
    writeFileSync(file, Buffer.concat([Buffer.from("tenant: "), korean]));
    expect(() => loadConfig(file, {})).toThrow(`${file}: is not UTF-8`);
    writeFileSync(file, "\uFEFFtenant: 한글\n", "utf16le");
    expect(() => loadConfig(file, {})).toThrow(`${file}: is not UTF-8`);
  });

  test("may begin with a byte order mark", () => {
    writeFileSync(file, "\uFEFFtenant: 한글\n");
    expect(loadConfig(file, {}).tenant).toBe("한글");
  });

  test("in which an alias stands within what it names is refused, not followed without an end", () => {
    writeFileSync(file, "server: &server\n  callers: [*server]\n");
    expect(() => loadConfig(file, {})).toThrow(
      `${file}: not readable as YAML: an alias (*…) stands within what it names`,
    );
  });

  test("that cannot be read is not said to be wrong YAML", () => {
    expect(() => loadConfig(folder.path, {})).toThrow(`${folder.path}: cannot be read (EISDIR)`);
  });
});
