import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config.ts";

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
