import { expect, test } from "vitest";
import { settings } from "../../src/compose/settings.ts";
import { parseConfig } from "../../src/config.ts";

const fingerprintOf = (config: object) => settings(parseConfig(config)).fingerprint;

test.each([
  ["rewrite", { use: "none" }],
  ["embed", { use: "hashing" }],
  ["search", { top: 10 }],
  ["rerank", { keep: 3 }],
  ["prompt", { system: "Answer in verse." }],
  ["generate", { use: "openai", model: "another", baseUrl: "http://127.0.0.1:9/v1" }],
])("an answer that was cached under another `%s` is not served", (step, change) => {
  expect(fingerprintOf({ [step]: change })).not.toBe(fingerprintOf({}));
});

test("nor one that another Ragline wrote, whose prompts may read otherwise", () => {
  expect(settings(parseConfig({}), "0.0.0-other").fingerprint).not.toBe(fingerprintOf({}));
});

test("limits, and whether the cache serves, are those that are configured", () => {
  const config = parseConfig({
    server: { timeoutMs: 4001 },
    session: { timeoutMs: 101 },
    cache: { mode: "shadow", timeoutMs: 102 },
    embed: { timeoutMs: 103 },
    search: { timeoutMs: 104 },
    rerank: { timeoutMs: 105 },
    generate: { firstTokenTimeoutMs: 106, silenceTimeoutMs: 107 },
    save: { timeoutMs: 108 },
    compact: { timeoutMs: 109 },
  });
  expect(settings(config)).toMatchObject({
    timeoutMs: 4001,
    limitsMs: { session: 101, cache: 102, embed: 103, search: 104, rerank: 105, save: 108, compact: 109 },
    generateLimits: { firstItemMs: 106, silenceMs: 107 },
    cacheServes: false,
  });
  expect(settings(parseConfig({})).cacheServes).toBe(true);
  expect(settings(parseConfig({ cache: { use: "none" } })).cacheServes).toBe(false);
});
