import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ListedSession, Session, WholeAnswer } from "../../src/index.ts";
import { RaglineError } from "../../src/index.ts";
import { expectError, postJson } from "../support/http.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";

const GATEWAY = "gateway-0123456789a";
const SHARED = "shared-0123456789abc";
const OWN = "own-0123456789abcdefg";
const STRICT = "strict-0123456789abc";
const ERASER = "eraser-0123456789abc";

let served: ServedRagline;
beforeAll(async () => {
  served = await serveRagline({
    server: {
      callers: [
        { name: "gateway", key: GATEWAY, tenant: "default", forOthers: true },
        { name: "shared", key: SHARED },
        { name: "own", key: OWN, user: "김철수" },
        { name: "strict", key: STRICT, tenant: "default", may: ["ask", "write"], forOthers: true, userRequired: true },
        { name: "eraser", key: ERASER, tenant: "default", may: ["ask", "erase"], forOthers: true },
      ],
    },
  });
  await addPages(served.ragline);
  const text = "# 급여\n\n인사팀만 아는 급여 인상률은 7퍼센트입니다.";
  await served.ragline.addDocument({ id: "급여.md", text, groups: ["인사팀"] }, { groups: ["인사팀"] });
});
afterAll(() => served.close());

type Headers = Record<string, string>;
const by = (key: string, more: Headers = {}): Headers => ({
  authorization: `Bearer ${key}`,
  accept: "application/json",
  ...more,
});
const of = (user: string, groups = ""): Headers =>
  by(GATEWAY, { "x-ragline-user": encodeURIComponent(user), "x-ragline-groups": encodeURIComponent(groups) });
const ask = (headers: Headers, sessionId: string, question = "연차 휴가는 며칠인가요?", more: object = {}) =>
  postJson(`${served.url}/v1/ask`, { question, sessionId, cache: false, ...more }, headers);
const asked = async (headers: Headers, sessionId: string, question?: string) => {
  const response = await ask(headers, sessionId, question);
  expect(response.status).toBe(200);
  return (await response.json()) as WholeAnswer;
};
const get = (path: string, headers: Headers) => fetch(`${served.url}${path}`, { headers });
const remove = (path: string, headers: Headers) => fetch(`${served.url}${path}`, { method: "DELETE", headers });
const turnsOf = async (headers: Headers, id: string) => {
  const response = await get(`/v1/sessions/${id}`, headers);
  return response.status === 404 ? null : ((await response.json()) as Session).turns.map(({ question }) => question);
};
const listed = async (headers: Headers, query = "") => {
  const response = await get(`/v1/sessions${query}`, headers);
  expect(response.status).toBe(200);
  return (await response.json()) as { sessions: ListedSession[]; next?: string };
};

describe("of users", () => {
  test("two have each their own under one id; nobody in particular has another; a key may be one user's", async () => {
    await asked(of("김철수"), "1", "퇴직금은 언제 지급되나요?");
    await asked(of("이영희"), "1", "출장비 한도는 얼마인가요?");
    await asked(by(GATEWAY), "1", "재택근무는 며칠까지 되나요?");
    expect(await turnsOf(of("김철수"), "1")).toEqual(["퇴직금은 언제 지급되나요?"]);
    expect(await turnsOf(of("김철수".normalize("NFD")), "1")).toEqual(["퇴직금은 언제 지급되나요?"]);
    expect(await turnsOf(by(OWN), "1")).toEqual(["퇴직금은 언제 지급되나요?"]);
    expect(await turnsOf(of("이영희"), "1")).toEqual(["출장비 한도는 얼마인가요?"]);
    for (const anybody of [by(GATEWAY), by(SHARED)]) {
      expect(await turnsOf(anybody, "1")).toEqual(["재택근무는 며칠까지 되나요?"]);
    }
    expect(await turnsOf(of("박민수"), "1")).toBeNull();
    expect((await get("/v1/sessions/1/turns", of("박민수"))).status).toBe(404);
    expect((await remove("/v1/sessions/1", of("박민수"))).status).toBe(404);
    expect((await remove("/v1/sessions/1", of("이영희"))).status).toBe(200);
    expect(await turnsOf(of("김철수"), "1")).toHaveLength(1);
  });

  test("one key of an idempotent question is another question of another user's", async () => {
    const key = (user: string) => ({ ...of(user), "idempotency-key": "5f1c" });
    const [his, hers] = [
      (await (await ask(key("a"), "k", "퇴직금은 언제 지급되나요?")).json()) as WholeAnswer,
      (await (await ask(key("b"), "k", "출장비 한도는 얼마인가요?")).json()) as WholeAnswer,
    ];
    expect(hers).toMatchObject({ cached: false, query: expect.stringContaining("출장비") });
    const again = (await (await ask(key("a"), "k", "퇴직금은 언제 지급되나요?")).json()) as WholeAnswer;
    expect(again).toMatchObject({ cached: true, text: his.text });
  });

  test("are listed by pages, the one last asked in first, and deleted together, nobody else's", async () => {
    const user = "목록/사용자 %";
    for (let i = 0; i < 5; i++) await asked(of(user), `s.${i}:x`, `질문 ${i}: 연차는 며칠인가요? ${"🏝️".repeat(150)}`);
    await asked(of("다른 사람"), "s.0:x");
    await asked(of(user), "s.1:x", "그러면 이월은요?");
    const all = await listed(of(user));
    expect(all.next).toBeUndefined();
    expect(all.sessions.map(({ id }) => id)).toEqual(["s.1:x", "s.4:x", "s.3:x", "s.2:x", "s.0:x"]);
    const [first] = all.sessions;
    expect(first).toMatchObject({ turnCount: 2, question: expect.stringMatching(/^질문 1: /) });
    expect([...(first?.question ?? "")]).toHaveLength(200);
    expect(first?.question.isWellFormed()).toBe(true);
    expect(Math.abs(Date.parse(first?.usedAt ?? "") - Date.now())).toBeLessThan(60_000);

    const paged: string[] = [];
    for (let next: string | undefined = ""; next !== undefined; ) {
      const page: Awaited<ReturnType<typeof listed>> = await listed(
        of(user),
        `?limit=2${next && `&after=${encodeURIComponent(next)}`}`,
      );
      paged.push(...page.sessions.map(({ id }) => id));
      next = page.next;
    }
    expect(paged).toEqual(all.sessions.map(({ id }) => id));

    const gone = await remove("/v1/sessions", of(user));
    expect(await gone.json()).toEqual({ deleted: 5 });
    expect((await listed(of(user))).sessions).toEqual([]);
    expect((await listed(of("다른 사람"))).sessions).toHaveLength(1);
    expect(await (await remove("/v1/sessions", of(user))).json()).toEqual({ deleted: 0 });
  });

  test("nobody lists or deletes those of nobody in particular together", async () => {
    for (const request of [get("/v1/sessions", by(SHARED)), remove("/v1/sessions", by(GATEWAY))]) {
      await expectError(await request, "request_invalid", /^user: must be named \(over HTTP by x-ragline-user\)/);
    }
    for (const [query, problem] of [
      ["?after=x", /^after: must be `next` of a page/],
      ["?after=5:a%00", /^after: must be `next` of a page/],
      ["?limit=501", /^limit: .*500/],
      ["?limit=0", /^limit: /],
      ["?what=1", /what/],
    ] as const) {
      await expectError(await get(`/v1/sessions${query}`, of("김철수")), "request_invalid", problem);
    }
  });

  test("the user is refused of whoever speaks for himself, twice, empty, too long, or beyond ASCII", async () => {
    const sent = (value: string) => get("/v1/sessions", by(GATEWAY, { "x-ragline-user": value }));
    await expectError(await get("/v1/sessions", by(OWN, { "x-ragline-user": "a" })), "forbidden", /^x-ragline-user: /);
    await expectError(await sent("a,b"), "request_invalid", /^x-ragline-user: must be one name/);
    await expectError(await sent(""), "request_invalid", /^x-ragline-user: /);
    await expectError(await sent("a".repeat(129)), "request_invalid", /^x-ragline-user: .*128/);
    await expectError(await sent("%ff"), "request_invalid", /^x-ragline-user: must be percent-encoded/);
    await expectError(await sent("%00"), "request_invalid", /^x-ragline-user: .*NUL/);
  });

  test("a key whose entry requires a user gets nobody's conversations without, and none are needed to write", async () => {
    const question = "연차 휴가는 며칠인가요?";
    const problem = /^x-ragline-user: must be sent/;
    await expectError(await get("/v1/sessions/1", by(STRICT)), "request_invalid", problem);
    await expectError(await postJson(`${served.url}/v1/ask`, { question }, by(STRICT)), "request_invalid", problem);
    expect((await ask(by(STRICT, { "x-ragline-user": "strict" }), "1")).status).toBe(200);
    const document = { id: "strict", text: "글" };
    expect((await postJson(`${served.url}/v1/documents`, document, by(STRICT))).status).toBe(200);
  });

  test("erasing a collection takes everybody's, though a user is named", async () => {
    const collection = "left";
    for (const user of ["a", "b"]) {
      expect((await ask(of(user), "1", undefined, { collection })).status).toBe(200);
    }
    const erased = await remove(`/v1/collections/${collection}`, by(ERASER, { "x-ragline-user": "a" }));
    expect(await erased.json()).toMatchObject({ sessions: 2 });
    expect((await listed(of("b"), `?collection=${collection}`)).sessions).toEqual([]);
  });
});

describe("of groups", () => {
  const SALARY = "급여 인상률은 몇 퍼센트인가요?";
  const REFUSAL = /^sessionId: .*groups/;

  test("what somebody with a group was answered is for nobody without: asking, reading, deleting", async () => {
    const [hr, both, other, none] = [
      of("팀", "인사팀"),
      by(GATEWAY, {
        "x-ragline-user": encodeURIComponent("팀"),
        "x-ragline-groups": "eng,%EC%9D%B8%EC%82%AC%ED%8C%80",
      }),
      of("팀", "eng"),
      of("팀"),
    ];
    await asked(none, "g");
    expect((await asked(hr, "g", SALARY)).text).toContain("7퍼센트");
    for (const lacking of [other, none]) {
      await expectError(await ask(lacking, "g", "방금 뭐라고 했나요?"), "forbidden", REFUSAL);
      const streamed = await ask({ ...lacking, accept: "text/event-stream" }, "g", "방금 뭐라고 했나요?");
      expect(streamed.status).toBe(403);
      for (const path of ["/v1/sessions/g", "/v1/sessions/g/turns"]) {
        await expectError(await get(path, lacking), "forbidden", REFUSAL);
      }
      await expectError(await remove("/v1/sessions/g", lacking), "forbidden", REFUSAL);
      expect((await listed(lacking)).sessions.map(({ id }) => id)).not.toContain("g");
    }
    expect(await turnsOf(hr, "g")).toHaveLength(2);
    await asked(both, "g");
    await expectError(await get("/v1/sessions/g", hr), "forbidden", REFUSAL);
    expect((await listed(both)).sessions).toMatchObject([{ id: "g", turnCount: 3 }]);
    expect(await (await remove("/v1/sessions", none)).json()).toMatchObject({ deleted: 1 });
    expect(await turnsOf(both, "g")).toBeNull();
  });

  test("a refused question is no fault of the server's and leaves nothing behind", async () => {
    await asked(of("u", "hr"), "r");
    const refused = await served.ragline
      .answer({ question: "?", sessionId: "r" }, { user: "u", requestId: "refused" })
      .catch((thrown: unknown) => thrown);
    expect(refused).toBeInstanceOf(RaglineError);
    expect(refused).toMatchObject({ code: "forbidden", retryable: false, step: "session" });
    const session = await served.ragline.readSession("r", undefined, { user: "u", groups: ["hr"] });
    expect(session).toMatchObject({ turnCount: 1, pending: [] });
  });
});
