import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CallerOptions } from "../../src/api.ts";
import { parseConfig } from "../../src/config.ts";
import { RaglineError } from "../../src/errors.ts";
import { fusionStatus } from "../../src/fusion/describe.ts";
import { createFusionLearner } from "../../src/fusion/keep.ts";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import type { Filter, Scope } from "../../src/types.ts";
import { call } from "../support/calls.ts";
import { embedder, openIndex } from "../support/durability/documents.ts";
import { folderForTest, temporaryFolder } from "../support/folder.ts";
import { postJson } from "../support/http.ts";
import { openRagline, serveRagline } from "../support/ragline.ts";
import { document } from "./passages.ts";

const WORDS = ["휴가", "급여", "leave", "salary", "비밀", "보안"];
const GROUPS = ["hr", "it", "board"];
const RUNS = 60;

interface Stored {
  readonly id: string;
  readonly tenant: string;
  readonly collection: string;
  readonly groups: readonly string[];
  readonly words: readonly string[];
  readonly field: string;
  readonly axis: number;
}

const stored = fc.record<Stored>({
  id: fc.constantFrom("a", "b", "c", "d", "e", "f"),
  tenant: fc.constantFrom("t1", "t2"),
  collection: fc.constantFrom("c1", "c2"),
  groups: fc.subarray(GROUPS),
  words: fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 6 }),
  field: fc.constantFrom("year", "team", "secret"),
  axis: fc.nat(63),
});
const asker = fc.record({
  tenant: fc.constantFrom("t1", "t2"),
  collection: fc.constantFrom("c1", "c2"),
  groups: fc.subarray(GROUPS),
});

const isReadable = (scope: Scope) => (one: Stored) =>
  one.tenant === scope.tenant &&
  one.collection === scope.collection &&
  (one.groups.length === 0 || one.groups.some((group) => scope.groups.includes(group)));

async function fill(index: PassageIndex, documents: readonly Stored[]): Promise<void> {
  for (const { id, tenant, collection, groups, words, field, axis } of documents) {
    const vector = new Float32Array(64);
    vector[axis] = 1;
    const passages = [{ text: words.join(" "), headings: [], tokens: words.length, vector }];
    const stated = document(id, { groups, metadata: { [field]: words[0] ?? "" } });
    await index.replace({ tenant, collection, groups: [] }, stated, passages, call());
  }
}

/** Everything that a caller can learn of an index. Scores of the text leg only where `withTextScores`. */
async function learned(
  index: PassageIndex,
  scope: Scope,
  word: string,
  field: string,
  axis: number,
  withTextScores: boolean,
) {
  const vector = new Float32Array(64);
  vector[axis] = 1;
  const outcome = async <T>(run: () => Promise<T>) => {
    try {
      return await run();
    } catch (error) {
      return error instanceof RaglineError ? error.body() : String(error);
    }
  };
  const search = async (filter?: Filter) => {
    const { byText, byVector } = await index.search(
      scope,
      { text: word, vector, limit: 50, ...(filter && { filter }) },
      call(),
    );
    const hits = (list: typeof byText, withScores: boolean) =>
      list.map(({ passage, score }) => [passage.id, passage.text, withScores ? score : 0]).toSorted();
    return { byText: hits(byText, withTextScores), byVector: hits(byVector, true) };
  };
  const list = await index.list(scope, { limit: 50 }, call());
  return {
    all: await outcome(() => search()),
    filtered: await outcome(() => search({ [field]: word })),
    wrongLength: await outcome(() => index.search(scope, { vector: new Float32Array(3), limit: 5 }, call())),
    status: await index.status(scope, call()),
    fusion: fusionStatus("learned", (await index.fusion?.load(scope, call())) ?? null),
    listed: list.documents.map(({ id, groups, metadata }) => [id, groups, metadata]),
    found: await Promise.all(["a", "b", "c", "f"].map(async (id) => (await index.find(scope, id, call()))?.id ?? null)),
  };
}

/** The last document of an id wins. */
function latest(documents: readonly Stored[]): Stored[] {
  return [...new Map(documents.map((one) => [`${one.tenant}/${one.collection}/${one.id}`, one])).values()];
}

describe("what a caller may not read makes no difference to it", () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let made = 0;
  beforeAll(() => {
    folder = temporaryFolder();
  });
  afterAll(() => folder.remove());
  const property = (withTextScores: boolean, hide: (scope: Scope) => (one: Stored) => boolean) =>
    fc.asyncProperty(
      fc.array(stored, { maxLength: 12 }),
      asker,
      fc.constantFrom(...WORDS),
      fc.constantFrom("year", "team", "secret"),
      fc.nat(63),
      async (documents, scope, word, field, axis) => {
        const all = openIndex(folder.file(`${++made}.db`));
        const own = openIndex(folder.file(`${++made}.db`));
        try {
          await fill(all.index, latest(documents));
          await fill(own.index, latest(documents).filter(hide(scope)));
          for (const { index } of [all, own]) {
            await createFusionLearner({ index, embedder, settings: { fusion: "learned" } }, () => undefined).learn(
              scope,
              call(),
            );
          }
          const ask = (index: PassageIndex) => learned(index, scope, word, field, axis, withTextScores);
          expect(await ask(all.index)).toEqual(await ask(own.index));
        } finally {
          await all.close();
          await own.close();
        }
      },
    );

  test("other tenants and collections: results, scores, counts and errors are as if they did not exist", {
    timeout: 120_000,
  }, async () => {
    const inPlace = (scope: Scope) => (one: Stored) =>
      one.tenant === scope.tenant && one.collection === scope.collection;
    await fc.assert(property(true, inPlace), { numRuns: RUNS });
  });

  test("other groups: hits, scores, counts and errors are as if they did not exist", {
    timeout: 120_000,
  }, async () => {
    await fc.assert(property(true, isReadable), { numRuns: RUNS });
  });
});

test("a caller's group is its documents' however its name is composed", { timeout: 60_000 }, async () => {
  folderForTest();
  const { ragline } = await serveRagline({ cache: { use: "none" } });
  await ragline.addDocument({ id: "pay.md", text: "# 보수\n\n임원 보수 규정", groups: ["이사회"] });
  const found = async (group: string) =>
    (await ragline.search({ query: "임원 보수" }, { groups: [group] })).hits.length;
  expect(await found("이사회".normalize("NFD"))).toBe(1);
  expect(await found("감사")).toBe(0);
});

test("over HTTP: documents for groups leave no trace in search, status, lists or errors", {
  timeout: 60_000,
}, async () => {
  const [open, both] = [await serveRagline({ cache: { use: "none" } }), await serveRagline({ cache: { use: "none" } })];
  folderForTest();
  const page = { id: "open.md", text: "# 휴가\n\n연차 휴가는 15일입니다.", metadata: { year: 2024 } };
  for (const { ragline } of [open, both]) await ragline.addDocument(page);
  await both.ragline.addDocument({
    id: "secret.md",
    text: "# 비밀\n\n임원 보수 규정",
    metadata: { grade: "top" },
    groups: ["board"],
  });
  const ask = async ({ url }: typeof open) => {
    const get = async (path: string) => {
      const response = await fetch(url + path);
      return [response.status, strip(await response.json())];
    };
    const post = async (path: string, body: object) => {
      const response = await postJson(url + path, body, { accept: "application/json" });
      return [response.status, strip(await response.json())];
    };
    return [
      await post("/v1/search", { query: "임원 보수 규정" }),
      await post("/v1/search", { query: "휴가", filter: { grade: "top" } }),
      await post("/v1/ask", { question: "임원 보수 규정은 무엇인가요?", sessionId: "s" }),
      await get("/v1/documents"),
      await get("/v1/documents/secret.md"),
      await get("/v1/status"),
      [(await fetch(`${url}/v1/documents/secret.md`, { method: "DELETE" })).status],
    ];
  };
  expect(await ask(both)).toEqual(await ask(open));
  await open.close();
  await both.close();
});

/** Without what differs from one request to the next, and without scores. */
function strip(value: unknown): unknown {
  const changing = new Set([
    "requestId",
    "timings",
    "spans",
    "ms",
    "startMs",
    "totalMs",
    "firstTextMs",
    "indexedAt",
    "score",
  ]);
  if (Array.isArray(value)) return value.map(strip);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, of]) => (changing.has(key) ? [] : [[key, strip(of)]])),
  );
}

test("a tenant has any name that can be stored; others that a store would take for one another are refused", async () => {
  const served = await serveRagline();
  const { ragline } = served;
  await ragline.addDocument({ id: "leave", text: "연차휴가는 15일이다." }, { tenant: "한빛 주식회사" });
  expect((await ragline.status(undefined, { tenant: "한빛 주식회사" })).documents).toBe(1);
  expect((await ragline.status(undefined, { tenant: "한빛주식회사" })).documents).toBe(0);
  for (const tenant of ["", "a\ud800", "a\ud801", "a\0", "a".repeat(129)]) {
    await expect(ragline.findDocument("leave", undefined, { tenant })).rejects.toMatchObject({
      code: "request_invalid",
      message: expect.stringMatching(/^tenant:? /),
    });
    expect(() => parseConfig({ tenant }, {})).toThrow(/^tenant: /);
  }
  await served.close();
});

test("groups of a caller that are no list of names are refused by name", async () => {
  const opened = await openRagline();
  for (const groups of ["hr", [["hr"]], [1], { 0: "hr" }]) {
    const caller = { groups } as unknown as CallerOptions;
    const refused = { code: "request_invalid", message: expect.stringMatching(/^groups/) };
    await expect(opened.ragline.answer({ question: "휴가는?" }, caller)).rejects.toMatchObject(refused);
    await expect(opened.ragline.search({ query: "휴가" }, caller)).rejects.toMatchObject(refused);
  }
  await opened.close();
});
