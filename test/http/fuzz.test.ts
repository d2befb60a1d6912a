import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postJson } from "../support/http.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";

let served: ServedRagline;
beforeAll(async () => {
  served = await serveRagline();
  await addPages(served.ragline);
});
afterAll(() => served.close());

const RUNS = { numRuns: 150, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false } as const;
const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string(),
  fc.constantFrom("휴가", "연차 며칠?", "\ud800", "a\0", ""),
);
const VALID: Readonly<Record<string, unknown>> = {
  "/v1/ask": { question: "휴가", filter: { year: { $gte: 2024 } } },
  "/v1/search": { query: "휴가", top: 2 },
  "/v1/documents": { id: "a", text: "휴가", metadata: { toString: 1 }, collection: "fuzzed" },
  "/v1/chat/completions": { messages: [{ role: "user", content: "휴가" }] },
};
const scalar = fc.oneof(text, fc.double(), fc.boolean(), fc.integer(), fc.constant(null));
const operator = fc.constantFrom(
  "$eq",
  "$ne",
  "$in",
  "$nin",
  "$gt",
  "$gte",
  "$lt",
  "$lte",
  "$regex",
  "$and",
  "$or",
  "$not",
);
const field = fc.oneof(fc.constantFrom("year", "language", "__proto__", "constructor", "toString", ""), operator, text);
const filter = fc.letrec((tie) => ({
  filter: fc.dictionary(
    field,
    fc.oneof(
      { depthSize: "small" },
      scalar,
      fc.array(scalar, { maxLength: 3 }),
      tie("filter"),
      fc.array(tie("filter"), { maxLength: 3 }),
    ),
    { maxKeys: 3 },
  ),
})).filter;
const anything = fc.jsonValue({ maxDepth: 4 });
const maybe = <T>(value: fc.Arbitrary<T>) =>
  fc.option(fc.oneof({ weight: 4, arbitrary: value }, { weight: 1, arbitrary: anything }), { nil: undefined });
const message = fc.record({
  role: fc.constantFrom("user", "assistant", "system", "tool"),
  content: fc.oneof(text, anything),
});
const common = {
  collection: maybe(fc.constantFrom("default", "other")),
  filter: maybe(filter),
  top: maybe(fc.integer({ min: -2, max: 30 })),
};

const bodies: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  "/v1/ask": fc.record({
    question: maybe(text),
    sessionId: maybe(fc.constantFrom("s1", "s2")),
    history: maybe(fc.array(message)),
    ...common,
    cache: maybe(fc.boolean()),
  }),
  "/v1/search": fc.record({ query: maybe(text), rerank: maybe(fc.boolean()), ...common }),
  "/v1/documents": fc.record({
    id: maybe(text),
    text: maybe(text),
    title: maybe(text),
    format: maybe(fc.constantFrom("markdown", "html", "text")),
    url: maybe(fc.oneof(fc.webUrl(), fc.constantFrom("http://a/\ud800", "http://[", "javascript:1"))),
    metadata: maybe(fc.dictionary(field, fc.oneof(scalar, fc.array(scalar)), { maxKeys: 4 })),
    groups: maybe(fc.array(text, { maxLength: 3 })),
    collection: fc.constant("fuzzed"),
  }),
  "/v1/chat/completions": fc.record({
    messages: maybe(fc.array(message, { minLength: 1, maxLength: 4 })),
    stream: maybe(fc.boolean()),
    ragline: maybe(fc.record(common)),
  }),
};

describe.each(Object.entries(bodies))("%s", (path, body) => {
  const send = async (value: unknown) => {
    const response = await postJson(`${served.url}${path}`, JSON.stringify(value) ?? "", {
      accept: "application/json",
    });
    const answer = await response.text();
    expect(response.status, answer).toBeLessThan(500);
    expect(answer).not.toMatch(/"code":"(internal|dependency_failed|dependency_timeout)"/);
    if (response.status >= 400)
      expect(answer).toMatch(/"code":"(request_invalid|not_found|prompt_too_large|conflict)"/);
    return response.status;
  };

  test("a body that is nearly right never gives a 5xx", { timeout: 60_000 }, async () => {
    const statuses = new Set<number>();
    const property = fc.asyncProperty(body, async (value) => void statuses.add(await send(value)));
    await fc.assert(property, { ...RUNS, examples: [[VALID[path]]] });
    expect(statuses).toContain(200);
    expect(statuses).toContain(400);
  });

  test("any JSON at all never gives a 5xx", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(anything, async (value) => void (await send(value))),
      { ...RUNS, numRuns: 60 },
    );
  });

  test("any bytes at all never give a 5xx", { timeout: 60_000 }, async () => {
    const property = fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const response = await postJson(`${served.url}${path}`, bytes);
      await response.text();
      expect(response.status).toBe(400);
    });
    await fc.assert(property, { ...RUNS, numRuns: 60 });
  });
});

test("what was stored can be listed and searched afterwards", async () => {
  const listed = await fetch(`${served.url}/v1/documents?collection=fuzzed&limit=1000`);
  expect(listed.status).toBe(200);
  const search = await postJson(`${served.url}/v1/search`, { query: "휴가 a b c", collection: "fuzzed" });
  expect(search.status).toBe(200);
});
