import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  addedSchema,
  documentPageSchema,
  documentSchema,
  readinessSchema,
  searchSchema,
  statusSchema,
} from "../../src/http/responses.ts";
import { expectError, postJson } from "../support/http.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";

let served: ServedRagline;
beforeAll(async () => {
  served = await serveRagline();
});
afterAll(() => served.close());

const at = (path: string, init?: RequestInit) => fetch(`${served.url}${path}`, init);
const json = async (path: string) => (await at(path)).json();
const pathOf = (id: string) => id.split("/").map(encodeURIComponent).join("/");

describe("an empty index", () => {
  test("is alive, and not ready: says what is missing", async () => {
    expect(await json("/healthz")).toEqual({ status: "ok" });
    const response = await at("/readyz");
    expect(response.status).toBe(503);
    const { ready, missing } = readinessSchema.strict().parse(await response.json());
    expect(ready).toBe(false);
    expect(missing).toHaveLength(1);
    expect(missing[0]).toMatch(/^search: no documents.*ragline index/);
  });

  test("finds nothing, lists nothing, and answers that it does not know", async () => {
    const search = await postJson(`${served.url}/v1/search`, { query: "휴가" });
    expect(searchSchema.parse(await search.json()).hits).toEqual([]);
    expect(documentPageSchema.strict().parse(await json("/v1/documents"))).toEqual({ documents: [] });
    const answer = await postJson(`${served.url}/v1/ask`, { question: "휴가?" }, { accept: "application/json" });
    expect(await answer.json()).toMatchObject({ finishReason: "no_answer", sources: [] });
  });
});

describe("with documents", () => {
  beforeAll(() => addPages(served.ragline));

  test("ready, and the status names every stage", async () => {
    const response = await at("/readyz");
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ ready: true, missing: [], degraded: [] });
    const status = statusSchema.strict().parse(await json("/v1/status"));
    expect(status).toMatchObject({
      documents: 3,
      tenant: "default",
      collection: "default",
      indexedWith: "hashing/384",
    });
    expect(status.stages).toMatchObject({
      embed: "hashing/384",
      rerank: "lexical",
      rewrite: "rules",
      generate: "extractive",
    });
    expect(statusSchema.parse(await json("/v1/status?collection=other"))).toMatchObject({ documents: 0 });
  });

  test("search: hits best first, within top, filtered, with timings", async () => {
    const response = await postJson(`${served.url}/v1/search`, { query: "연차 휴가 며칠", top: 2 });
    const { hits, timings } = searchSchema.strict().parse(await response.json());
    expect(hits).toHaveLength(2);
    expect(hits[0]?.passage.documentId).toBe("hr/휴가.md");
    expect(hits[0]?.score).toBeGreaterThanOrEqual(hits[1]?.score ?? 0);
    expect(Object.keys(timings)).toEqual(expect.arrayContaining(["embed", "search", "rerank"]));
    const filtered = await postJson(`${served.url}/v1/search`, {
      query: "연차 휴가",
      filter: { language: "en", year: { $gte: 2024 } },
      rerank: false,
    });
    const ids = searchSchema.parse(await filtered.json()).hits.map(({ passage }) => passage.documentId);
    expect(new Set(ids)).toEqual(new Set(["it/security.md"]));
  });

  test.each([
    "hr/휴가 규정/2024년.md",
    "a/b/c",
    "with space",
    "percent%2Fencoded",
    "100%",
    "질문?답#조각",
    "a&b=c+d",
    "콜론:세미;콜론",
    "emoji-🏝️",
    "trailing/",
    "double//slash",
    "가".repeat(512),
  ])("a document named %j is added, read, listed and deleted", async (id) => {
    const added = await postJson(`${served.url}/v1/documents`, { id, text: "# 제목\n\n본문입니다." });
    expect(addedSchema.strict().parse(await added.json())).toEqual({ id, changed: true, passages: 1 });
    const again = await postJson(`${served.url}/v1/documents`, { id, text: "# 제목\n\n본문입니다." });
    expect(addedSchema.parse(await again.json()).changed).toBe(false);
    for (const path of [pathOf(id), encodeURIComponent(id)]) {
      const found = documentSchema.strict().parse(await json(`/v1/documents/${path}`));
      expect(found).toMatchObject({ id, title: "제목", passages: 1, groups: [] });
    }
    const listed = documentPageSchema.parse(await json("/v1/documents"));
    expect(listed.documents.map((document) => document.id)).toContain(id);
    const deleted = await at(`/v1/documents/${pathOf(id)}`, { method: "DELETE" });
    expect(await deleted.json()).toEqual({ deleted: true });
    await expectError(await at(`/v1/documents/${pathOf(id)}`), "not_found");
    await expectError(await at(`/v1/documents/${pathOf(id)}`, { method: "DELETE" }), "not_found");
  });

  test("list in pages: each document once", async () => {
    const collection = "paged";
    for (let i = 0; i < 7; i++) {
      await postJson(`${served.url}/v1/documents`, { id: `문서/${i}`, text: "글", collection });
    }
    const seen: string[] = [];
    for (let after = ""; ; ) {
      const query = new URLSearchParams({ collection, limit: "3", ...(after && { after }) });
      const page = documentPageSchema.parse(await json(`/v1/documents?${query}`));
      expect(page.documents.length).toBeLessThanOrEqual(3);
      seen.push(...page.documents.map(({ id }) => id));
      expect(seen.length).toBeLessThanOrEqual(7);
      if (page.next === undefined) break;
      after = page.next;
    }
    expect(seen).toEqual(Array.from({ length: 7 }, (_, i) => `문서/${i}`));
  });

  test("where the server read a document is told neither by the list nor by its entry", async () => {
    const handbook = served.folder.file("handbook");
    mkdirSync(handbook);
    writeFileSync(join(handbook, "leave.md"), "# Leave\n\n15 days a year.");
    await served.ragline.index([handbook], { collection: "files" });
    const [listed, found] = await Promise.all([
      (await at("/v1/documents?collection=files")).text(),
      (await at("/v1/documents/leave.md?collection=files")).text(),
    ]);
    expect(documentPageSchema.parse(JSON.parse(listed)).documents).toHaveLength(1);
    expect(documentSchema.strict().parse(JSON.parse(found))).toMatchObject({ id: "leave.md", passages: 1 });
    expect(listed + found).not.toMatch(/source|handbook/);
  });

  test("a replaced document is found by its new text only, and a deleted one not at all", async () => {
    const find = async (query: string) => {
      const response = await postJson(`${served.url}/v1/search`, { query, collection: "changing" });
      return searchSchema.parse(await response.json()).hits.map(({ passage }) => passage.text);
    };
    const put = (text: string) =>
      postJson(`${served.url}/v1/documents`, { id: "d", text, format: "text", collection: "changing" });
    await put("사과는 빨갛다.");
    expect(await find("사과")).toEqual(["사과는 빨갛다."]);
    await put("포도는 보랏빛이다.");
    expect(await find("사과 포도")).toEqual(["포도는 보랏빛이다."]);
    await at("/v1/documents/d?collection=changing", { method: "DELETE" });
    expect(await find("포도")).toEqual([]);
  });

  test("a document of a group is stored and invisible to callers without it", async () => {
    await postJson(`${served.url}/v1/documents`, { id: "secret", text: "비밀계획 내용", groups: ["board"] });
    await expectError(await at("/v1/documents/secret"), "not_found");
    const response = await postJson(`${served.url}/v1/search`, { query: "비밀계획" });
    const ids = searchSchema.parse(await response.json()).hits.map(({ passage }) => passage.documentId);
    expect(ids).not.toContain("secret");
  });

  test.each([
    ["POST", "/v1/documents", "application/json", JSON.stringify({ id: "board/plan", text: "덮어쓴 글" })],
    [
      "POST",
      "/v1/documents",
      "application/json",
      JSON.stringify({ id: "board/plan", text: "이사회만의 계획", groups: ["board"] }),
    ],
    ["PUT", "/v1/documents/board/plan", "text/plain", "덮어쓴 글"],
  ])("nor replaced by them, nor told what is in it: %s %s", async (method, path, type, body) => {
    const writer = { groups: ["board"] };
    const document = { id: "board/plan", text: "이사회만의 계획", groups: ["board"] };
    await served.ragline.addDocument(document, writer);
    const before = await served.ragline.findDocument("board/plan", undefined, writer);
    const written = await fetch(served.url + path, { method, headers: { "content-type": type }, body });
    const { error } = (await written.json()) as { error: object };
    expect([written.status, error]).toMatchObject([
      409,
      { code: "conflict", retryable: false, message: expect.stringMatching(/"board\/plan" is taken/) },
    ]);
    expect(await served.ragline.findDocument("board/plan", undefined, writer)).toEqual(before);
    expect(await served.ragline.addDocument(document, writer)).toMatchObject({ changed: false });
    expect(await served.ragline.addDocument({ ...document, text: "새 계획" }, writer)).toMatchObject({ changed: true });
  });

  test("of two first writes at once, one of them for a group, one is refused and the other is there", async () => {
    for (let i = 0; i < 8; i++) {
      const id = `both/${i}`;
      const write = (body: object) => postJson(`${served.url}/v1/documents`, { id, ...body });
      const hidden = () => write({ text: `인사팀의 비밀 ${i}`, groups: ["hr"] });
      const open = () => write({ text: `모두의 안내 ${i}` });
      const [first, second] = await Promise.all(i % 2 ? [open(), hidden()] : [hidden(), open()]);
      const [ofOpen, ofHidden] = i % 2 ? [first.status, second.status] : [second.status, first.status];
      expect([ofOpen, ofHidden].toSorted()).toEqual([200, 409]);
      expect((await fetch(`${served.url}/v1/documents/${id}`)).status).toBe(ofOpen === 200 ? 200 : 404);
      const entry = await served.ragline.findDocument(id, undefined, { groups: ["hr"] });
      expect(entry?.groups).toEqual(ofOpen === 200 ? [] : ["hr"]);
    }
  });

  test("a document that its writer may read is replaced only by one that the writer may read as well", async () => {
    const document = { id: "open/plan", text: "모두의 계획" };
    const [board, hr] = [{ groups: ["board"] }, { groups: ["hr"] }];
    await served.ragline.addDocument(document);
    const hidden = served.ragline.addDocument({ ...document, groups: ["board"] }, hr);
    await expect(hidden).rejects.toMatchObject({ code: "conflict", retryable: false });
    expect(await served.ragline.findDocument("open/plan")).toMatchObject({ groups: [] });
    expect(await served.ragline.addDocument({ ...document, groups: ["board"] }, board)).toMatchObject({
      changed: true,
    });
    const handedOn = served.ragline.addDocument({ ...document, groups: ["hr"] }, board);
    await expect(handedOn).rejects.toMatchObject({ code: "conflict" });
    expect(await served.ragline.addDocument(document, board)).toMatchObject({ changed: true });
  });

  test("a document without text is refused by name", async () => {
    await expectError(
      await postJson(`${served.url}/v1/documents`, { id: "빈 글", text: "---\na: 1\n---\n" }),
      "request_invalid",
      /빈 글/,
    );
  });
});
