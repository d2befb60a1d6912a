import { type AddressInfo, connect } from "node:net";
import OpenAI from "openai";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { parseConfig } from "../../src/config.ts";
import type { ConfigInput, WholeAnswer } from "../../src/index.ts";
import { eventsOf, expectError, postJson, textOf } from "../support/http.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";
import { streaming, stubModel, wholeStream } from "../support/stub-model.ts";

const KEYS = {
  reader: "reader-0123456789ab",
  writer: "writer-0123456789ab",
  hr: "hr-0123456789abcdef",
  rival: "rival-0123456789abc",
  gateway: "gateway-0123456789a",
  portal: "portal-0123456789ab",
  operator: "operator-0123456789",
  platform: "platform-0123456789",
} as const;
const CALLERS: NonNullable<ConfigInput["server"]> = {
  callers: [
    { name: "web", key: KEYS.reader },
    { name: "crawler", key: KEYS.writer, may: ["write"], groups: ["인사팀"] },
    { name: "intranet", key: KEYS.hr, groups: ["인사팀"] },
    { name: "rival", key: KEYS.rival, tenant: "경쟁사", may: ["ask", "write"] },
    { name: "gateway", key: KEYS.gateway, may: ["ask", "write"], forOthers: true },
    { name: "portal", key: KEYS.portal, tenant: "default", forOthers: true },
    { name: "platform", key: KEYS.platform, may: ["ask", "write", "observe", "erase"], forOthers: true },
    { name: "operator", key: KEYS.operator, may: ["observe"] },
  ],
};

const json = { accept: "application/json" };
const by = (key: string, more: Record<string, string> = {}) => ({ authorization: `Bearer ${key}`, ...json, ...more });
const QUESTION = "연차 휴가는 며칠인가요?";
const SECRET = "인사팀만 아는 급여 인상률은 7퍼센트입니다.";
const SALARY = "급여 인상률은 몇 퍼센트인가요?";

let served: ServedRagline;
const lines: Record<string, unknown>[] = [];
beforeAll(async () => {
  const log = pino({ level: "info" }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  served = await serveRagline({ server: CALLERS }, log);
  await addPages(served.ragline);
  const secret = { id: "hr/급여.md", text: `# 급여\n\n${SECRET}`, groups: ["인사팀"] };
  expect((await post("/v1/documents", secret, by(KEYS.writer))).status).toBe(200);
});
afterAll(() => served.close());

const post = (path: string, body: unknown, headers: Record<string, string>) =>
  postJson(`${served.url}${path}`, body, headers);
const get = (path: string, headers: Record<string, string> = {}) => fetch(`${served.url}${path}`, { headers });
const answerTo = async (headers: Record<string, string>, question = QUESTION, more: object = {}) =>
  (await (await post("/v1/ask", { question, ...more }, headers)).json()) as WholeAnswer;
const idsFor = async (headers: Record<string, string>) => {
  const page = (await (await get("/v1/documents", headers)).json()) as { documents: { id: string }[] };
  return page.documents.map(({ id }) => id);
};

describe("who calls", () => {
  test.each([
    ["no key", {}],
    ["another's", { authorization: "Bearer nobody-0123456789ab" }],
    ["the beginning of one", { authorization: `Bearer ${KEYS.reader.slice(0, -1)}` }],
    ["another scheme", { authorization: `Basic ${btoa(`web:${KEYS.reader}`)}` }],
    ["no scheme", { authorization: KEYS.reader }],
    ["nothing behind the scheme", { authorization: "Bearer " }],
  ])("%s: refused on every route but the probes and the schema", async (_, headers) => {
    for (const path of ["/v1/documents", "/v1/sessions/s", "/v1/status", "/v1/models", "/metrics", "/nowhere"]) {
      const response = await get(path, headers);
      expect(response.headers.get("www-authenticate"), path).toBe("Bearer");
      if (path === "/v1/models") expect(response.status).toBe(401);
      else await expectError(response, "unauthorized", /^authorization: /);
    }
    for (const path of ["/v1/ask", "/v1/search", "/v1/documents"]) {
      await expectError(await post(path, { question: QUESTION }, headers), "unauthorized");
    }
    for (const path of ["/healthz", "/readyz", "/openapi.json"]) expect((await get(path, headers)).status).toBe(200);
  });

  test("with its key: asks, streams, searches, goes on with its conversation; the scheme in any case", async () => {
    const streamed = await post("/v1/ask", { question: QUESTION }, { authorization: `bearer  ${KEYS.reader}` });
    expect(textOf(await eventsOf(streamed))).toContain("15일");
    const answer = await answerTo(by(KEYS.reader));
    expect(answer.text).toContain("15일");
    expect((await post("/v1/search", { query: QUESTION }, by(KEYS.reader))).status).toBe(200);
    expect((await get(`/v1/sessions/${answer.sessionId}`, by(KEYS.reader))).status).toBe(200);
    expect((await get(`/v1/sessions/${answer.sessionId}/turns`, by(KEYS.reader))).status).toBe(200);
    expect(
      (await fetch(`${served.url}/v1/sessions/${answer.sessionId}`, { method: "DELETE", headers: by(KEYS.reader) }))
        .status,
    ).toBe(200);
  });

  test("may do what its rights say, and nothing else", async () => {
    const page = { id: "x.md", text: "# X\n\nText." };
    for (const key of [KEYS.reader, KEYS.operator]) {
      await expectError(await post("/v1/documents", page, by(key)), "forbidden", /lacks the right write/);
      const headers = { ...by(key), "content-type": "text/plain" };
      const file = await fetch(`${served.url}/v1/documents/x.txt`, { method: "PUT", headers, body: "text" });
      await expectError(file, "forbidden", /write/);
      const gone = await fetch(`${served.url}/v1/documents/hr/휴가.md`, { method: "DELETE", headers: by(key) });
      await expectError(gone, "forbidden", /write/);
    }
    for (const key of [KEYS.writer, KEYS.operator]) {
      await expectError(await post("/v1/ask", { question: QUESTION }, by(key)), "forbidden", /lacks the right ask/);
      await expectError(await post("/v1/search", { query: QUESTION }, by(key)), "forbidden", /ask/);
      await expectError(await get("/v1/documents", by(key)), "forbidden", /ask/);
      await expectError(await get("/v1/sessions/s", by(key)), "forbidden", /ask/);
    }
    for (const key of [KEYS.reader, KEYS.writer, KEYS.hr, KEYS.gateway]) {
      await expectError(await get("/v1/status", by(key)), "forbidden", /lacks the right observe/);
      await expectError(await get("/metrics", by(key)), "forbidden", /observe/);
    }
    expect(await (await get("/metrics", by(KEYS.operator))).text()).toContain("ragline_requests_total");
    expect((await get("/v1/status", by(KEYS.operator))).status).toBe(200);
    expect(await idsFor(by(KEYS.reader))).not.toContain("x.md");
  });

  test("OpenAI's client sends its key; a wrong one is its AuthenticationError", async () => {
    const client = (apiKey: string) => new OpenAI({ baseURL: `${served.url}/v1`, apiKey, maxRetries: 0 });
    const asked = { model: "any", messages: [{ role: "user" as const, content: QUESTION }] };
    const { choices } = await client(KEYS.reader).chat.completions.create(asked);
    expect(choices[0]?.message.content).toContain("15일");
    await expect(client("nobody-0123456789ab").chat.completions.create(asked)).rejects.toThrow(
      OpenAI.AuthenticationError,
    );
    await expect(client(KEYS.writer).chat.completions.create(asked)).rejects.toThrow(OpenAI.PermissionDeniedError);
  });
});

test("the port of the probes is the operator's: no key is asked for there", async () => {
  const apart = await serveRagline({ server: CALLERS });
  onTestFinished(() => apart.close());
  await new Promise<void>((resolve) => apart.app.probes.listen(0, "127.0.0.1", resolve));
  const { port } = apart.app.probes.address() as AddressInfo;
  expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(200);
  expect((await fetch(`http://127.0.0.1:${port}/v1/documents`)).status).toBe(404);
  expect((await fetch(`${apart.url}/metrics`)).status).toBe(401);
});

describe("what is whose", () => {
  test("documents of groups are for their callers: listed, read, searched, quoted, and never out of the cache for others", async () => {
    const path = `/v1/documents/${encodeURIComponent("hr/급여.md")}`;
    expect(await idsFor(by(KEYS.hr))).toContain("hr/급여.md");
    expect((await get(path, by(KEYS.hr))).status).toBe(200);
    for (let i = 0; i < 2; i++) {
      expect((await answerTo(by(KEYS.hr), SALARY)).text).toContain("7퍼센트");
      const other = await answerTo(by(KEYS.reader), SALARY);
      expect(JSON.stringify(other)).not.toContain("7퍼센트");
      expect(other.sources.map(({ documentId }) => documentId)).not.toContain("hr/급여.md");
    }
    expect((await answerTo(by(KEYS.hr), SALARY)).cached).toBe(true);
    expect(await idsFor(by(KEYS.reader))).not.toContain("hr/급여.md");
    await expectError(await get(path, by(KEYS.reader)), "not_found");
  });

  test("a tenant sees nothing of another: documents, conversations, answers, and ids may be the same", async () => {
    const page = { id: "hr/휴가.md", text: "# 휴가\n\n우리 회사의 연차 휴가는 99일입니다." };
    expect((await post("/v1/documents", page, by(KEYS.rival))).status).toBe(200);
    expect(await idsFor(by(KEYS.rival))).toEqual(["hr/휴가.md"]);
    const mine = await answerTo(by(KEYS.reader), QUESTION, { sessionId: "same" });
    const theirs = await answerTo(by(KEYS.rival), QUESTION, { sessionId: "same" });
    expect([mine.text, theirs.text]).toEqual([
      expect.not.stringContaining("99일"),
      expect.not.stringContaining("15일"),
    ]);
    const turnsOf = async (key: string) =>
      ((await (await get("/v1/sessions/same", by(key))).json()) as { turns: { answer: string }[] }).turns;
    expect(await turnsOf(KEYS.rival)).toMatchObject([{ answer: theirs.text }]);
    expect(await turnsOf(KEYS.reader)).toMatchObject([{ answer: mine.text }]);
    const deleted = await fetch(`${served.url}/v1/sessions/same`, { method: "DELETE", headers: by(KEYS.rival) });
    expect(deleted.status).toBe(200);
    expect(await turnsOf(KEYS.reader)).toHaveLength(1);
  });

  test("a gateway says for whom it asks", async () => {
    const here = (groups?: string) =>
      by(KEYS.gateway, { "x-ragline-tenant": "default", ...(groups !== undefined && { "x-ragline-groups": groups }) });
    const both = `sales, ${encodeURIComponent("인사팀")}`;
    expect((await answerTo(here(both), SALARY)).text).toContain("7퍼센트");
    expect(await idsFor(here(both))).toContain("hr/급여.md");
    for (const none of [undefined, "", "sales"]) expect(await idsFor(here(none))).not.toContain("hr/급여.md");
    expect(await idsFor(here(encodeURIComponent("인사팀".normalize("NFD"))))).toContain("hr/급여.md");
    const tenant = { "x-ragline-tenant": encodeURIComponent("새 회사, 주식회사") };
    expect(await idsFor(by(KEYS.gateway, tenant))).toEqual([]);
    await post("/v1/documents", { id: "new.md", text: "# 새 문서\n\n내용." }, by(KEYS.gateway, tenant));
    expect(await idsFor(by(KEYS.gateway, tenant))).toEqual(["new.md"]);
    expect(await idsFor(by(KEYS.reader))).not.toContain("new.md");
    expect(await (await get("/metrics", by(KEYS.operator))).text()).toContain('tenant="새 회사, 주식회사"');
  });

  test("one of a tenant speaks for that alone, one of none names one each time: what was lost on the way is nobody's", async () => {
    const tenant = (name: string) => ({ "x-ragline-tenant": encodeURIComponent(name) });
    const group = { "x-ragline-groups": encodeURIComponent("인사팀") };
    for (const same of [{}, tenant("default")]) {
      expect(await idsFor(by(KEYS.portal, { ...same, ...group }))).toContain("hr/급여.md");
    }
    for (const other of ["경쟁사", "Default", "default "]) {
      await expectError(await get("/v1/documents", by(KEYS.portal, tenant(other))), "forbidden", /^x-ragline-tenant: /);
    }
    const lost = await get("/v1/documents", by(KEYS.gateway, group));
    await expectError(lost, "request_invalid", /^x-ragline-tenant: must be sent/);
  });

  test("whose request it is, said by anybody else, wrongly or twice, is refused", async () => {
    for (const key of [KEYS.reader, KEYS.hr, KEYS.rival]) {
      for (const header of ["x-ragline-tenant", "x-ragline-groups"]) {
        await expectError(await get("/v1/documents", by(key, { [header]: "" })), "forbidden", RegExp(`^${header}: `));
      }
    }
    const wrong: [string, string, RegExp][] = [
      ["x-ragline-tenant", "", /^x-ragline-tenant: /],
      ["x-ragline-tenant", "%E0%A4", /^x-ragline-tenant: must be percent-encoded/],
      ["x-ragline-tenant", "a".repeat(129), /^x-ragline-tenant: /],
      ["x-ragline-tenant", "acme, rival", /^x-ragline-tenant: must be one name/],
      ["x-ragline-tenant", latin1("경쟁사"), /^x-ragline-tenant: must be percent-encoded/],
      ["x-ragline-groups", latin1("hr,인사팀"), /^x-ragline-groups: must be percent-encoded/],
      ["x-ragline-tenant", "%00", /^x-ragline-tenant: must not hold NUL/],
      ["x-ragline-groups", "a,,b", /^x-ragline-groups\.1: /],
      ["x-ragline-groups", "a".repeat(129), /^x-ragline-groups\.0: /],
      ["x-ragline-groups", Array.from({ length: 101 }, (_, i) => `g${i}`).join(), /^x-ragline-groups: /],
    ];
    for (const [header, value, names] of wrong) {
      const headers = by(KEYS.gateway, { "x-ragline-tenant": "default", [header]: value });
      await expectError(await get("/v1/documents", headers), "request_invalid", names);
    }
    for (const header of ["x-ragline-tenant", "x-ragline-groups", "authorization"]) {
      const twice = await fetchRaw(`${header}: hr\r\n${header.toUpperCase()}: sales\r\n`);
      expect(twice).toMatch(/^HTTP\/1\.1 400 /);
      expect(twice).toContain(`${header}: must be sent once`);
    }
  });

  test("a gateway whose entry names no tenant says one each time: a proxy that takes the header out mixes no customers", async () => {
    const silent = by(KEYS.platform, { "x-ragline-groups": "hr" });
    const problem = /^x-ragline-tenant: must be sent/;
    await expectError(await post("/v1/ask", { question: QUESTION }, silent), "request_invalid", problem);
    await expectError(await post("/v1/documents", { id: "x.md", text: "Text." }, silent), "request_invalid", problem);
    const erase = await fetch(`${served.url}/v1/collections/default`, { method: "DELETE", headers: silent });
    await expectError(erase, "request_invalid", problem);
    expect(await idsFor(by(KEYS.reader))).toContain("hr/휴가.md");
    expect(await idsFor(by(KEYS.platform, { "x-ragline-tenant": "default" }))).toContain("hr/휴가.md");
    for (const path of ["/metrics", "/v1/status"]) expect((await get(path, by(KEYS.platform))).status).toBe(200);
  });

  test("where nobody is asked for a key, nobody speaks for others either", async () => {
    const open = await serveRagline();
    onTestFinished(() => open.close());
    const headers = { "x-ragline-tenant": "acme" };
    await expectError(await fetch(`${open.url}/v1/documents`, { headers }), "forbidden", /server\.callers/);
    expect((await fetch(`${open.url}/healthz`, { headers })).status).toBe(200);
    const erase = await fetch(`${open.url}/v1/collections/default`, { method: "DELETE" });
    await expectError(erase, "forbidden", /server\.callers/);
    expect((await fetch(`${open.url}/v1/documents`)).status).toBe(200);
  });
});

test("a caller that may erases its tenant's collection: every group's documents, conversations, answers, and no other tenant's", async () => {
  const keys = { eraser: "eraser-0123456789ab", other: "other-0123456789abc" };
  const may: ("ask" | "write" | "erase")[] = ["ask", "write", "erase"];
  const erasing = await serveRagline({
    server: {
      callers: [
        { name: "eraser", key: keys.eraser, tenant: "acme", may, groups: ["hr"] },
        { name: "other", key: keys.other, tenant: "other", may: ["ask", "write"] },
      ],
    },
  });
  onTestFinished(() => erasing.close());
  const at = (path: string) => `${erasing.url}${path}`;
  for (const key of Object.values(keys)) {
    await postJson(at("/v1/documents"), { id: "a.md", text: "# 연차\n\n연차 휴가는 15일입니다." }, by(key));
    await postJson(at("/v1/ask"), { question: QUESTION, sessionId: "s" }, by(key));
  }
  await postJson(at("/v1/documents"), { id: "b.md", text: "# B\n\nText.", groups: ["hr"] }, by(keys.eraser));
  const erase = (key: string, collection = "default") =>
    fetch(at(`/v1/collections/${collection}`), { method: "DELETE", headers: by(key) });
  await expectError(await erase(keys.other), "forbidden", /lacks the right erase/);
  await expectError(await erase(keys.eraser, "no%20name"), "request_invalid", /^collection: /);
  expect(await (await erase(keys.eraser)).json()).toEqual({ documents: 2, sessions: 1 });
  expect(await (await erase(keys.eraser)).json()).toEqual({ documents: 0, sessions: 0 });
  expect((await fetch(at("/v1/sessions/s"), { headers: by(keys.eraser) })).status).toBe(404);
  expect((await fetch(at("/v1/sessions/s"), { headers: by(keys.other) })).status).toBe(200);
  expect((await fetch(at("/v1/documents/a.md"), { headers: by(keys.other) })).status).toBe(200);
});

test("a caller has so many requests under way, and each tenant of one that speaks for others; then 429, until one is over or its client gone", async () => {
  const model = await stubModel();
  onTestFinished(() => model.close());
  const callers = [
    { name: "small", key: KEYS.reader, requestsMax: 2 },
    { name: "gateway", key: KEYS.gateway, requestsMax: 1, forOthers: true },
    { name: "free", key: KEYS.hr },
  ];
  const limited = await serveRagline({
    server: { callers },
    cache: { use: "none" },
    generate: { use: "openai", baseUrl: model.url, model: "slow", retries: 0 },
  });
  onTestFinished(() => limited.close());
  await addPages(limited.ragline);
  let finish: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    finish = resolve;
  });
  model.answer(async (...of) => {
    await released;
    await streaming(wholeStream(["15일 [1]."]))(...of);
  });
  const ask = (headers: Record<string, string>, signal: AbortSignal | null = null) =>
    fetch(`${limited.url}/v1/ask`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify({ question: QUESTION }),
      signal,
    });
  const forTenant = (name: string) => by(KEYS.gateway, { "x-ragline-tenant": name });
  const leaving = new AbortController();
  const left = ask(by(KEYS.reader), leaving.signal).catch(() => null);
  const running = [ask(by(KEYS.reader)), ask(forTenant("a")), ask(forTenant("b"))];
  await expect.poll(() => model.requests.length).toBe(4);
  const refused = await ask(by(KEYS.reader));
  expect(refused.headers.get("retry-after")).toBe("1");
  const error = await expectError(refused, "rate_limited", /^small has 2 requests under way/);
  expect(error.retryAfterMs).toBe(1000);
  for (const name of ["a", "%61"]) await expectError(await ask(forTenant(name)), "rate_limited");
  leaving.abort();
  await left;
  await expect
    .poll(async () => (await fetch(`${limited.url}/v1/documents`, { headers: by(KEYS.reader) })).status)
    .toBe(200);
  finish();
  for (const answer of await Promise.all(running)) expect(answer.status).toBe(200);
  expect((await ask(forTenant("a"))).status).toBe(200);
});

test("the log says who asked, and no key", async () => {
  await answerTo(by(KEYS.hr), "병가는 며칠인가요?");
  await get("/v1/documents", by(KEYS.gateway, { "x-ragline-tenant": "acme" }));
  await get("/v1/documents", { authorization: "Bearer wrong-0123456789abc" });
  await get("/v1/status", by(KEYS.rival));
  await get("/v1/documents", by(KEYS.platform, { "x-ragline-tenant": "%" }));
  await expect
    .poll(() => lines)
    .toEqual(
      expect.arrayContaining([
        expect.objectContaining({ msg: "answer", caller: "intranet", tenant: "default" }),
        expect.objectContaining({ msg: "request", caller: "gateway", tenant: "acme", route: "/v1/documents" }),
        expect.objectContaining({ msg: "request", code: "unauthorized", status: 401, unknownKey: "efa2dcea" }),
        expect.objectContaining({ msg: "request", code: "forbidden", caller: "rival", tenant: "경쟁사" }),
        expect.objectContaining({ msg: "request", code: "request_invalid", caller: "platform" }),
      ]),
    );
  for (const key of [...Object.values(KEYS), "wrong-0123456789abc"]) expect(JSON.stringify(lines)).not.toContain(key);
});

test("the schema says that a key is needed, and where it is not, and what a caller for others sends", async () => {
  const document = (await (await get("/openapi.json")).json()) as {
    readonly security: unknown;
    readonly components: { readonly securitySchemes: unknown };
    readonly paths: Record<string, Record<string, { security?: unknown; parameters?: { name: string }[] }>>;
  };
  expect(document).toMatchObject({ security: [{ key: [] }] });
  expect(document.components.securitySchemes).toEqual({ key: { type: "http", scheme: "bearer" } });
  expect(document.paths["/readyz"]?.get?.security).toEqual([]);
  expect(document.paths["/v1/ask"]?.post).not.toHaveProperty("security");
  const named = (path: string, method: string) => document.paths[path]?.[method]?.parameters?.map(({ name }) => name);
  const speaking = ["x-ragline-tenant", "x-ragline-groups", "x-ragline-user"];
  expect(named("/v1/search", "post")).toEqual(speaking);
  expect(named("/v1/ask", "post")).toEqual(["idempotency-key", ...speaking]);
  expect(named("/readyz", "get")).toBeUndefined();
});

test("a server of several tenants is ready though its own has no documents", async () => {
  const server = (tenant: string) => ({ callers: [{ name: "a", key: KEYS.rival, tenant }] });
  for (const [config, ready] of [
    [{ server: server("a") }, true],
    [{ server: server("default") }, false],
    [{}, false],
  ] as const) {
    const empty = await serveRagline(config);
    onTestFinished(() => empty.close());
    expect((await fetch(`${empty.url}/readyz`)).status).toBe(ready ? 200 : 503);
  }
});

test("a server whose documents are all for groups of its callers is ready", async () => {
  const callers = [{ name: "hr", key: KEYS.hr, may: ["ask" as const, "write" as const], groups: ["인사팀"] }];
  const restricted = await serveRagline({ server: { callers } });
  onTestFinished(() => restricted.close());
  const ready = async () => (await fetch(`${restricted.url}/readyz`)).status;
  const page = (id: string, group: string) => ({ id, text: `# 급여\n\n${SECRET}`, groups: [group] });
  await postJson(`${restricted.url}/v1/documents`, page("sales.md", "영업팀"), by(KEYS.hr));
  expect(await ready()).toBe(503);
  await postJson(`${restricted.url}/v1/documents`, page("hr.md", "인사팀"), by(KEYS.hr));
  expect(await ready()).toBe(200);
});

test("a configuration that is wrong is refused, each problem by its place, and no key is said", () => {
  const callers = [
    { name: "a", key: KEYS.reader },
    { name: "b", key: KEYS.reader, may: ["everything"] },
    { name: "c", key: "short" },
    { name: "d", key: "with spaces 0123456789" },
    { name: "e", key: KEYS.hr, may: [] },
    { name: "f", key: KEYS.rival, groups: [""] },
    { key: KEYS.writer },
    { name: "h", key: KEYS.gateway, user: "kim", forOthers: true },
    { name: "i", key: KEYS.portal, userRequired: true },
  ];
  let message = "";
  try {
    parseConfig({ server: { callers } }, {});
  } catch (thrown) {
    message = (thrown as Error).message;
  }
  for (const place of ["1.may.0", "2.key", "3.key", "4.may", "5.groups.0", "6.name", "7.user", "8.userRequired"]) {
    expect(message).toContain(`server.callers.${place}: `);
  }
  expect(message).not.toMatch(/0123456789/);
  expect(() =>
    parseConfig({ server: { callers: callers.slice(0, 1).concat({ name: "z", key: KEYS.reader }) } }, {}),
  ).toThrow("server.callers.1.key: is the key of callers.0 too");
});

/** Bytes of UTF-8 as `fetch` sends them in a header. */
function latin1(text: string): string {
  return Buffer.from(text).toString("latin1");
}

/** `fetch` joins what is sent twice. */
async function fetchRaw(headers: string): Promise<string> {
  const socket = connect(served.port, "127.0.0.1");
  socket.write(
    `GET /v1/documents HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${KEYS.gateway}\r\n${headers}\r\n`,
  );
  let text = "";
  for await (const chunk of socket) text += chunk;
  return text;
}
