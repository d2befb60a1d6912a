import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AskRequest, CallerOptions, Ragline } from "../../src/index.ts";
import { until } from "../support/calls.ts";
import { addPages, type OpenedRagline, openRagline } from "../support/ragline.ts";
import {
  askAll,
  emptySession,
  endOf,
  fakeStages,
  hangingEmbedder,
  memoryCache,
  modelOf,
  questionOf,
} from "../support/stages.ts";

let opened: OpenedRagline;
let ragline: Ragline;
beforeAll(async () => {
  opened = await openRagline();
  ragline = opened.ragline;
  await addPages(ragline);
});
afterAll(() => opened.close());

let made = 0;
/** A question that nobody has asked yet. */
const fresh = () => `How many characters must passwords have, asked for the ${++made}th time?`;
const isCached = async (request: AskRequest, caller: CallerOptions = {}) =>
  (await ragline.answer(request, caller)).cached;
/** Asks until the answer, which is stored after its last byte, is served. */
const fill = (request: AskRequest, caller: CallerOptions = {}) =>
  until("it is cached", () => isCached(request, caller));

describe("a cached answer is served", () => {
  test("with its text and sources, and the turn is stored like any other", async () => {
    const question = fresh();
    const first = await ragline.answer({ question });
    await fill({ question });
    const hit = await ragline.answer({ question, sessionId: "hit" });
    expect(hit).toMatchObject({ cached: true, text: first.text, sources: first.sources, ledger: null });
    expect(hit.usage).toEqual({ promptTokens: 0, completionTokens: 0 });
    expect(hit.timings).not.toHaveProperty("generate");
    const session = await ragline.readSession("hit");
    expect(session?.turns).toMatchObject([{ question, answer: first.text, status: "complete" }]);
  });

  test("whatever the order of the caller's groups", async () => {
    const question = fresh();
    await fill({ question }, { groups: ["a", "b"] });
    expect(await isCached({ question }, { groups: ["b", "a"] })).toBe(true);
  });
});

test("the embedding that began ahead of a cached answer is cancelled", async () => {
  const cache = memoryCache();
  await askAll(fakeStages({ cache }), questionOf({ isFirst: true }));
  const base = fakeStages({ cache });
  const hanging = hangingEmbedder();
  const { last } = await askAll({ ...base, ...hanging }, questionOf({ isFirst: true }));
  expect(last).toMatchObject({ cached: true, degraded: [] });
  expect(hanging.cancelled()).toBe(1);
});

describe("a cached answer never crosses", () => {
  const filled = async (request: Omit<AskRequest, "question"> = {}, caller: CallerOptions = {}) => {
    const question = fresh();
    await fill({ question, ...request }, caller);
    return question;
  };

  test.each([
    ["to a caller with groups", {}, { groups: ["board"] }],
    ["to another tenant", {}, { tenant: "other" }],
    ["to another collection", { collection: "other" }, {}],
    ["to another filter", { filter: { year: 2024 } }, {}],
    ["to another number of passages", { top: 1 }, {}],
    ["to a question with history", { history: [{ role: "user", content: "휴가" } as const] }, {}],
    ["to a caller who wants none", { cache: false }, {}],
  ])("%s", async (_, request, caller) => {
    const question = await filled();
    expect(await isCached({ question, ...request }, caller)).toBe(false);
    expect(await isCached({ question })).toBe(true);
  });

  test("from a caller of a group to one without, nor to one of another group", async () => {
    const question = await filled({}, { groups: ["board"] });
    for (const groups of [[], ["hr"], ["board", "hr"]]) expect(await isCached({ question }, { groups })).toBe(false);
  });

  test("from one filter to its opposite", async () => {
    const question = await filled({ filter: { year: 2024 } });
    expect(await isCached({ question, filter: { year: { $ne: 2024 } } })).toBe(false);
    expect(await isCached({ question })).toBe(false);
  });

  test("a change of the corpus: replaced, added, deleted", async () => {
    const question = fresh();
    const document = (text: string) => ragline.addDocument({ id: "changing", text });
    await document("Passwords must have 20 characters.");
    for (const change of [
      () => document("Passwords must have 30 characters."),
      () => ragline.addDocument({ id: `new-${made}`, text: "Something else." }),
      () => ragline.deleteDocument("changing"),
    ]) {
      await fill({ question });
      await change();
      expect(await isCached({ question })).toBe(false);
    }
    expect((await ragline.answer({ question })).text).not.toContain("30 characters");
  });

  test("a corpus that stays the same keeps its answers", async () => {
    const question = await filled();
    await ragline.addDocument({ id: "elsewhere", text: "Another collection.", collection: "other" });
    const unchanged = await ragline.addDocument({ id: "it/again.md", text: "Same text." });
    expect(unchanged.changed).toBe(true);
    await fill({ question });
    expect((await ragline.addDocument({ id: "it/again.md", text: "Same text." })).changed).toBe(false);
    expect(await isCached({ question })).toBe(true);
  });
});

describe("what the key covers", () => {
  test("the conversation: the same words after another turn are another question", async () => {
    const cache = memoryCache();
    const base = fakeStages({ cache });
    const following = (answer: string) => {
      const turn = {
        number: 1,
        short: false,
        requestId: "r",
        question: "연차",
        query: "연차",
        answer,
        status: "complete",
        tokens: 2,
        at: "",
      } as const;
      const load = async (_: unknown, id: string) => ({ ...emptySession(id), version: 1, turns: [turn], turnCount: 1 });
      const begin = async (_: unknown, id: string) => ({ session: await load(_, id), recorded: Promise.resolve() });
      return { ...base, sessions: { ...base.sessions, load, begin } };
    };
    await askAll(following("15일"));
    expect(cache.entries.size).toBe(1);
    expect((await askAll(following("15일"))).last).toMatchObject({ cached: true });
    expect((await askAll(following("20일"))).last).toMatchObject({ cached: false });
  });

  test("the corpus before the search, also where that was made while the model rewrote the question", async () => {
    const cache = memoryCache();
    const base = fakeStages({ cache });
    let version = 1;
    const rewriting = modelOf(async function* () {
      version = 2;
      yield { type: "text", text: "연차는 나눠 쓸 수 있나요?" };
      yield { type: "end", finishReason: "stop" };
    });
    const index = { ...base.index, version: async () => `${version}` };
    const stages = { ...base, cache, index, instructed: rewriting };
    const history = [
      { role: "user", content: "연차" },
      { role: "assistant", content: "15일" },
    ] as const;
    const followUp = () => askAll(stages, questionOf({ question: "나눠 쓸 수 있나요?", history }));
    expect((await followUp()).last).toMatchObject({ cached: false, degraded: [] });
    expect(cache.entries.size).toBe(1);
    expect((await followUp()).last).toMatchObject({ cached: false });
    expect((await followUp()).last).toMatchObject({ cached: true });
  });

  test.each(["length", "content_filter", "no_answer"] as const)("an answer that ended by %s", async (finishReason) => {
    const cache = memoryCache();
    const model = modelOf(async function* () {
      yield { type: "text", text: "연차는 15" };
      yield { type: "end", finishReason };
    });
    await askAll(fakeStages({ cache, model }));
    expect(cache.entries.size).toBe(0);
  });

  test("whose question it is, and its own words though another has the same rewritten form", async () => {
    const cache = memoryCache();
    const stages = fakeStages({
      cache,
      instructed: modelOf(async function* () {
        yield { type: "text", text: "연차를 나눠 쓸 수 있나요?" };
        yield { type: "end", finishReason: "stop" };
      }),
    });
    const history = [
      { role: "user", content: "연차" },
      { role: "assistant", content: "15일" },
    ] as const;
    const usual = { question: "나눠 쓸 수 있나요?", history };
    const scope = questionOf().scope;
    const others = [
      { ...usual, question: "그걸 나눠 쓸 수 있나요?" },
      { ...usual, scope: { ...scope, tenant: "other" } },
      { ...usual, scope: { ...scope, collection: "other" } },
      { ...usual, scope: { ...scope, groups: ["board"] } },
    ];
    for (const [i, one] of [usual, ...others].entries()) {
      const { events, last } = await askAll(stages, questionOf(one));
      expect(events[1]).toMatchObject({ query: "연차를 나눠 쓸 수 있나요?" });
      expect(last).toMatchObject({ cached: false });
      expect(cache.entries.size).toBe(i + 1);
    }
    expect((await askAll(stages, questionOf(usual))).last).toMatchObject({ cached: true });
  });

  test("the models, which may change at their stages while this process runs", async () => {
    const cache = memoryCache();
    const base = fakeStages({ cache });
    const inOrder = (model: string) => ({
      model,
      rerank: async (_query: string, texts: readonly string[]) => texts.map((_, index) => ({ index, score: 1 })),
    });
    const usual = { ...base, reranker: inOrder("a") };
    const changed = [
      { ...usual, model: { ...base.model, model: "another" } },
      { ...usual, reranker: inOrder("b") },
      { ...usual, embedder: { ...base.embedder, model: "another" } },
    ];
    const isCached = async (stages: typeof usual) =>
      endOf((await askAll(stages, questionOf({ history: [] }))).last).cached;
    expect(await isCached(usual)).toBe(false);
    for (const stages of changed) expect(await isCached(stages)).toBe(false);
    expect(await isCached(usual)).toBe(true);
  });

  test("whether passages are reranked, which a request may do without", async () => {
    const cache = memoryCache();
    let calls = 0;
    const reranker = {
      model: "fake",
      async rerank(_query: string, texts: readonly string[]) {
        calls++;
        return texts.map((_, i) => ({ index: texts.length - 1 - i, score: 1 - i / 10 }));
      },
    };
    const stages = fakeStages({ cache, reranker });
    const asked = async (useReranker: boolean) => {
      const { events, last } = await askAll(stages, questionOf({ useReranker, history: [] }));
      const list = events.find((event) => event.type === "source-list");
      expect(last).toMatchObject({ degraded: [] });
      return [list?.sources[0]?.documentId, (last as { readonly cached?: boolean }).cached];
    };
    expect(await asked(false)).toEqual(["a", false]);
    expect(calls).toBe(0);
    expect(await asked(true)).toEqual(["d", false]);
    expect(await asked(false)).toEqual(["a", true]);
  });

  test("the configuration", async () => {
    const cache = memoryCache();
    await askAll(fakeStages({ cache, settings: { fingerprint: "a" } }));
    expect((await askAll(fakeStages({ cache, settings: { fingerprint: "b" } }))).last).toMatchObject({ cached: false });
    expect((await askAll(fakeStages({ cache, settings: { fingerprint: "a" } }))).last).toMatchObject({ cached: true });
  });

  test("shadow mode stores and serves nothing", async () => {
    const cache = memoryCache();
    const settings = { cacheServes: false };
    for (let i = 0; i < 2; i++) {
      expect((await askAll(fakeStages({ cache, settings }), questionOf())).last).toMatchObject({ cached: false });
    }
    expect(cache.entries.size).toBe(1);
  });
});
