import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { cpuMs } from "../support/cpu.ts";
import { expectError, postJson } from "../support/http.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";

let served: ServedRagline;
beforeAll(async () => {
  served = await serveRagline();
  await addPages(served.ragline);
});
afterAll(() => served.close());
afterEach(async () => {
  expect((await fetch(`${served.url}/healthz`)).status).toBe(200);
});

const POST_ROUTES = ["/v1/ask", "/v1/search", "/v1/documents"] as const;
const post = (path: string, body: unknown, headers = {}) =>
  postJson(`${served.url}${path}`, body, { accept: "application/json", ...headers });
const valid = {
  "/v1/ask": { question: "휴가" },
  "/v1/search": { query: "휴가" },
  "/v1/documents": { id: "a", text: "b" },
};
const nested = (depth: number, open: string, close: string, core = "1") =>
  open.repeat(depth) + core + close.repeat(depth);

describe("routes and methods", () => {
  test.each(["/", "/v1", "/v1/nothing", "/v2/ask", "/v1/ask/more", "/V1/ASK", "//", "/.env", "/v1/ask%00"])(
    "GET %s: not found",
    async (path) => {
      await expectError(await fetch(`${served.url}${path}`), "not_found");
    },
  );

  test.each([
    ["GET", "/v1/ask", "POST"],
    ["PUT", "/v1/search", "POST"],
    ["PATCH", "/v1/documents", "GET, POST"],
    ["PATCH", "/v1/documents/a%2Fb", "GET, PUT, DELETE"],
    ["POST", "/v1/documents/a/b", "GET, PUT, DELETE"],
    ["POST", "/v1/sessions/s1", "GET, DELETE"],
    ["DELETE", "/v1/status", "GET"],
    ["POST", "/healthz", "GET"],
    ["GET", "/v1/chat/completions", "POST"],
    ["DELETE", "/v1/models/m", "GET"],
  ])("%s %s: refused, and Allow says what goes: %s", async (method, path, allow) => {
    const response = await fetch(`${served.url}${path}`, { method });
    await expectError(response, "not_found");
    expect(response.headers.get("allow")).toBe(allow);
  });
});

test("an empty body is none, whatever its type says", async () => {
  const empty = { method: "DELETE", headers: { "content-type": "application/json" } };
  await expectError(await fetch(`${served.url}/v1/documents/nothing`, empty), "not_found", /nothing/);
});

describe("heads of requests that a proxy may read otherwise", () => {
  test("two Host headers: refused, and no route is reached", async () => {
    const reply = await raw(head("GET /healthz HTTP/1.1", "Host: a.example", "host: b.example", "Connection: close"));
    expect(reply).toMatch(/^HTTP\/1\.1 400 /);
    expect(reply).toContain("host: must be sent once");
  });

  test("none: refused with a reason, but for HTTP/1.0, which has none", async () => {
    const reply = await raw(head("GET /healthz HTTP/1.1", "Connection: close"));
    expect(reply).toMatch(/^HTTP\/1\.1 400 /);
    expect(reply).toContain("host: must be sent once");
    expect(await raw(head("GET /healthz HTTP/1.0"))).toMatch(/^HTTP\/1\.1 200 /);
  });

  test("an expectation other than 100-continue: 417", async () => {
    const reply = await raw(head("GET /healthz HTTP/1.1", "Host: a.example", "Expect: 200-maybe", "Connection: close"));
    expect(reply).toMatch(/^HTTP\/1\.1 417 /);
  });
});

describe.each(POST_ROUTES)("bodies sent to %s", (path) => {
  const refused = async (body: unknown, names?: RegExp, headers = {}) =>
    expectError(await post(path, body, headers), "request_invalid", names);

  test("not in UTF-8: refused, and nothing is kept", async () => {
    // 연차휴가 as a Korean Windows console sends it.
    const korean = Buffer.from("bfacc2f7c8deb0a1", "hex");
    const body = Buffer.concat([Buffer.from('{"id":"k949","question":"'), korean, Buffer.from('"}')]);
    const headers = { "content-type": "application/json; charset=cp949" };
    const response = await fetch(`${served.url}${path}`, { method: "POST", headers, body });
    await expectError(response, "request_invalid", /UTF-8/);
  });

  test.each([
    ["empty", ""],
    ["broken", '{"question": "휴'],
    ["not JSON", "question=hello"],
    ["NaN", '{"top": NaN}'],
    ["two values", "{} {}"],
    ["a byte order mark and junk", "\ufeff!"],
  ])("%s", async (_, body) => {
    await refused(body, /body/);
  });

  test("broken: the place is named, and nothing of what stands there", async () => {
    const body = '{\n  "question": "비밀 질문",\n  "top": secret\n}';
    await refused(body, /^body: must be JSON, and is not at line 3, column 10$/);
  });

  test("compressed: refused, and why", async () => {
    const headers = { "content-type": "application/json", "content-encoding": "gzip" };
    const body = gzipSync(JSON.stringify(valid[path]));
    const response = await fetch(`${served.url}${path}`, { method: "POST", headers, body });
    await expectError(response, "request_invalid", /content-encoding/);
  });

  test.each([["null"], ["[]"], ['"text"'], ["7"], ["true"], ["{}"], ['[{"question":"a"}]']])(
    "JSON that is %s",
    async (body) => {
      await refused(body);
    },
  );

  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/jsonp",
    ";",
  ])("content type %s", async (type) => {
    await refused(JSON.stringify(valid[path]), /content-type/, { "content-type": type });
  });

  test("no content type and no body", async () => {
    await expectError(await fetch(`${served.url}${path}`, { method: "POST" }), "request_invalid");
  });

  test("larger than the limit: the limit is named", async () => {
    const body = JSON.stringify({ ...valid[path], filler: "가".repeat(1024 * 1024) });
    await refused(body, /body.*2097152/);
  });

  test.each([
    '{"__proto__": {"polluted": true}, "question": "a"}',
    '{"constructor": {"prototype": {"polluted": true}}}',
    '{"filter": {"__proto__": {"polluted": true}}, "question": "휴가", "query": "휴가"}',
    '{"filter": {"constructor": {"prototype": {"polluted": 1}}}, "question": "휴가", "query": "휴가"}',
    '{"id": "a", "text": "b", "metadata": {"__proto__": {"polluted": true}}}',
    '{"id": "a", "text": "b", "metadata": {"constructor": "x"}}',
  ])("prototype pollution %s", async (body) => {
    await refused(body);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test.each([
    ["lists", nested(100_000, "[", "]")],
    ["objects", nested(100_000, '{"a":', "}")],
    ["filters", `{"question":"휴가","query":"휴가","filter":${nested(100_000, '{"$not":', "}", '{"year":1}')}}`],
    [
      "lists of filters",
      `{"question":"휴가","query":"휴가","filter":${nested(50_000, '{"$and":[', "]}", '{"year":1}')}}`,
    ],
    ["metadata", `{"id":"a","text":"b","metadata":{"a":${nested(100_000, "[", "]")}}}`],
  ])("%s nested a hundred thousand deep", async (_, body) => {
    await refused(body);
  });

  test("an unknown field is named", async () => {
    await refused({ ...valid[path], questoin: "x" }, /questoin/);
  });
});

describe("fields", () => {
  const ask = { question: "휴가" };
  test.each([
    ["a question of a million letters", { question: "가".repeat(600_000) }, /question.*8000/],
    ["NUL", { question: "a\0b" }, /question.*NUL/],
    ["half a surrogate pair", '{"question": "a\\ud800"}', /question.*surrogate/],
    ["the other half", '{"question": "\\udc00b"}', /question.*surrogate/],
    ["blank", { question: " \n\u3000" }, /question.*blank/],
    ["a list for text", { question: ["휴가"] }, /question/],
    ["an object for text", { question: { $ne: "" } }, /question/],
    ["a number for text", { question: 7 }, /question/],
    ["marks without end", { question: `a${"\u0301\u0316".repeat(200_000)}` }, /question.*30 combining marks/],
    ["marks in a filter", { ...ask, filter: { year: `a${"\u0301".repeat(31)}` } }, /filter.*30 combining marks/],
    ["top 0", { ...ask, top: 0 }, /top/],
    ["top below 0", { ...ask, top: -1 }, /top/],
    ["top with a fraction", { ...ask, top: 1.5 }, /top/],
    ["top too large", { ...ask, top: 1e9 }, /top.*20/],
    ["top beyond numbers", '{"question": "휴가", "top": 1e999}', /top/],
    ["top in words", { ...ask, top: "5" }, /top/],
    ["a huge session id", { ...ask, sessionId: "s".repeat(100_000) }, /sessionId.*128/],
    ["a session id that is a path", { ...ask, sessionId: "../../etc/passwd" }, /sessionId/],
    ["an empty session id", { ...ask, sessionId: "" }, /sessionId/],
    ["a collection with a slash", { ...ask, collection: "a/b" }, /collection/],
    ["timeoutMs 0", { ...ask, timeoutMs: 0 }, /timeoutMs/],
    ["timeoutMs beyond the limit", { ...ask, timeoutMs: 10_000_000 }, /timeoutMs.*120000/],
    ["history of 1,001", { ...ask, history: Array(1001).fill({ role: "user", content: "a" }) }, /history.*1000/],
    ["history with an unknown role", { ...ask, history: [{ role: "tool", content: "a" }] }, /history\.0\.role/],
    [
      "half a character in the history",
      '{"question":"a","history":[{"role":"user","content":"\\udfff"}]}',
      /history\.0\.content/,
    ],
    ["a filter that is a list", { ...ask, filter: [] }, /filter/],
    ["a filter that is text", { ...ask, filter: "year=1" }, /filter/],
    ["an unknown operator", { ...ask, filter: { year: { $regex: ".*" } } }, /filter\.year\.\$regex/],
    ["an unknown operator on top", { ...ask, filter: { $where: "1" } }, /filter\.\$where/],
    ["$in without a list", { ...ask, filter: { year: { $in: 2024 } } }, /filter\.year\.\$in/],
    ["$and without a list", { ...ask, filter: { $and: { year: 1 } } }, /filter\.\$and/],
    ["an empty $or", { ...ask, filter: { $or: [] } }, /filter\.\$or/],
    ["a condition that is null", { ...ask, filter: { year: null } }, /filter\.year/],
    ["nine levels", `{"question":"휴가","filter":${nested(9, '{"$not":', "}", '{"year":1}')}}`, /filter.*8/],
    ["a thousand conditions", { ...ask, filter: { $or: Array(1000).fill({ year: 1 }) } }, /filter.*512/],
    [
      "a thousand fields",
      { ...ask, filter: Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`f${i}`, 1])) },
      /filter.*512/,
    ],
    ["a number beyond all bounds", '{"question":"휴가","filter":{"year":{"$lt":1e999}}}', /filter.*finite/],
    ["half a character in a filter", '{"question":"휴가","filter":{"language":"\\ud800"}}', /filter/],
  ])("/v1/ask: %s", async (_, body, names) => {
    await expectError(await post("/v1/ask", body), "request_invalid", names);
  });

  test.each([
    ["no id", { text: "a" }, /id/],
    ["an id that climbs", { id: "../../etc/passwd", text: "a" }, /id.*\.\./],
    ["an id that climbs back", { id: "a\\..\\b", text: "a" }, /id/],
    ["an absolute id", { id: "/etc/passwd", text: "a" }, /id/],
    ["a long id", { id: "a".repeat(513), text: "a" }, /id.*512/],
    ["NUL in the id", { id: "a\0", text: "a" }, /id.*NUL/],
    ["NUL in the text", { id: "a", text: "a\0" }, /text.*NUL/],
    ["half a character in the text", '{"id":"a","text":"\\ud83d"}', /text/],
    ["half a character in a field's name", '{"id":"a","text":"b","metadata":{"\\ud83d":1}}', /metadata/],
    ["an operator for a field's name", { id: "a", text: "b", metadata: { $gt: 1 } }, /metadata/],
    ["nested metadata", { id: "a", text: "b", metadata: { a: { b: 1 } } }, /metadata\.a: must be text, /],
    ["a long text in metadata", { id: "a", text: "b", metadata: { a: "x".repeat(4001) } }, /metadata\.a: .*4000/],
    ["a long list in metadata", { id: "a", text: "b", metadata: { a: Array(101).fill(1) } }, /metadata\.a: .*100 /],
    ["a long text in a list", { id: "a", text: "b", metadata: { a: ["x".repeat(4001)] } }, /metadata\.a.*4000/],
    [
      "too much metadata",
      { id: "a", text: "b", metadata: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`f${i}`, i])) },
      /metadata.*64/,
    ],
    ["a url that is a script", { id: "a", text: "b", url: "javascript:alert(1)" }, /url/],
    ["an unknown format", { id: "a", text: "b", format: "pdf" }, /format/],
    ["groups that are no list", { id: "a", text: "b", groups: "board" }, /groups/],
  ])("/v1/documents: %s", async (_, body, names) => {
    await expectError(await post("/v1/documents", body), "request_invalid", names);
  });

  test("/v1/chat/completions: a picture is refused by name", async () => {
    const content = [{ type: "image_url", image_url: { url: "https://example.com/a.png" } }];
    const response = await post("/v1/chat/completions", { messages: [{ role: "user", content }] });
    await expectError(response, "request_invalid", /messages\.0\.content\.0: must be a text part/);
  });

  describe("far beyond a limit: refused without a look at each one", () => {
    const fields = (count: number, value: unknown) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, value]));
    const filter = fields(140_000, 0);
    const message = (parts: number) => ({ role: "user", content: Array(parts).fill(0) });
    test.each([
      [
        "fields of metadata",
        "/v1/documents",
        { id: "a", text: "b", metadata: fields(140_000, {}) },
        /metadata: .* 64 /,
      ],
      ["fields of a question's filter", "/v1/ask", { question: "휴가", filter }, /filter: .* 512 /],
      ["fields of a search's filter", "/v1/search", { query: "휴가", filter }, /filter: .* 512 /],
      ["parts of one message", "/v1/chat/completions", { messages: [message(600_000)] }, /content: .* 100 parts/],
      ["parts of many", "/v1/chat/completions", { messages: Array(1000).fill(message(650)) }, /content: .* 100 parts/],
    ])("%s", async (_, path, body, names) => {
      const json = JSON.stringify(body);
      const before = cpuMs();
      await expectError(await post(path, json), "request_invalid", names);
      expect(cpuMs() - before).toBeLessThan(600);
    });
  });

  test("a duplicate key is no failure of the server", async () => {
    const response = await post("/v1/search", '{"query": "휴가", "query": "연차", "top": 1, "top": 2}');
    expect(response.status).toBeLessThan(500);
  });
});

describe("addresses", () => {
  test.each([
    "/v1/documents/..%2f..%2fetc/passwd",
    "/v1/documents/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/v1/documents/a%00b",
    "/v1/documents/%2Fetc%2Fpasswd",
    `/v1/documents/${"a".repeat(600)}`,
    `/v1/sessions/${"s".repeat(200)}`,
    "/v1/sessions/..%2f..%2fx",
    "/v1/sessions/a%20b",
    "/v1/documents?limit=0",
    "/v1/documents?limit=-1",
    "/v1/documents?limit=NaN",
    "/v1/documents?limit=1001",
    "/v1/documents?limit=1&limit=2",
    "/v1/documents?after=%00",
    "/v1/documents?__proto__=1",
    "/v1/documents?constructor=1",
    "/v1/documents?collection=..%2f",
    "/v1/status?nosuch=1",
  ])("GET %s is refused", async (path) => {
    await expectError(await fetch(`${served.url}${path}`), "request_invalid");
  });

  test.each(["/v1/documents/%ED%A0%80", "/v1/documents/%", "/%ff", `/v1/models/${"m".repeat(3000)}`])(
    "GET %s, which is no readable address, is refused in the same shape",
    async (path) => {
      const response = await fetch(`${served.url}${path}`);
      await expectError(response, response.status === 404 ? "not_found" : "request_invalid");
    },
  );

  test("an address beyond any limit, a header beyond any limit, and what is no HTTP at all", async () => {
    const head = "Host: localhost\r\nConnection: close\r\n";
    for (const bytes of [
      `GET /v1/documents/${"a".repeat(20_000)} HTTP/1.1\r\n${head}\r\n`,
      `GET /healthz HTTP/1.1\r\n${head}X-Filler: ${"a".repeat(20_000)}\r\n\r\n`,
      "HELLO?\r\n\r\n",
      `POST /v1/ask HTTP/1.1\r\n${head}Content-Length: -5\r\n\r\n`,
    ]) {
      const text = await raw(bytes);
      expect(text).toMatch(/^HTTP\/1\.1 4\d\d /);
      const body: unknown = JSON.parse(text.slice(text.indexOf("\r\n\r\n") + 4));
      expect(body).toMatchObject({ error: { code: "request_invalid", retryable: false } });
    }
  });
});

function head(...lines: readonly string[]): string {
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function raw(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(served.port, "127.0.0.1", () => socket.write(bytes));
    socket.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
    socket.on("close", () => resolve(text));
    socket.on("error", reject);
  });
}
