import { writeFile } from "node:fs/promises";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRedaction, withoutUrlSecrets } from "../../src/telemetry/redaction.ts";
import { finish, printed, start } from "../cli/run.ts";
import { until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { postJson } from "../support/http.ts";
import { type StubServer, stubServer } from "../support/stub-server.ts";

const SECRETS = {
  embed: "sk-embed-0123456789",
  rerank: "rerank-geheim-&\\4711",
  generate: 'sk-generate-"quoted"-9876',
  session: "redis-p@ss/wörd",
  hub: "hf_abcdefghijklmnop",
  gateway: "gw-geheim-77",
  collector: "collector-key-4711",
} as const;
const QUESTION = "주민등록번호 900101-1234567의 연차는 며칠인가요?";
const DOCUMENT = "김철수의 계좌번호는 110-222-333444이고 연차는 15일입니다.";

let upstream: StubServer;
const folder = temporaryFolder();

beforeAll(async () => {
  // An upstream that says in its errors all that it was sent.
  upstream = await stubServer(({ headers, body }, response) => {
    response.writeHead(400, { "content-type": "application/json" });
    response.end(
      JSON.stringify({
        error: {
          code: "bad_thing",
          message: `${headers.authorization} ${headers["x-gateway"]} ${JSON.stringify(body)}`,
        },
      }),
    );
  });
});
afterAll(async () => {
  await upstream.close();
  folder.remove();
});

function configuration(content: boolean): string {
  const password = encodeURIComponent(SECRETS.session);
  return JSON.stringify({
    embed: { use: "tei", baseUrl: upstream.url, model: "m", dimensions: 64, apiKey: SECRETS.embed, retries: 0 },
    rerank: {
      use: "cohere",
      baseUrl: `${upstream.url}/v1`,
      model: "m",
      apiKey: SECRETS.rerank,
      headers: { "x-gateway": SECRETS.gateway },
      retries: 0,
    },
    generate: { use: "openai", baseUrl: `${upstream.url}/v1`, model: "m", apiKey: SECRETS.generate, retries: 0 },
    search: { file: folder.file(`${content}.db`) },
    models: { token: SECRETS.hub },
    telemetry: { headers: { authorization: SECRETS.collector } },
    log: { level: "debug", content },
    // Nobody listens there: every question with a session fails, and says why.
    ...(content && { session: { use: "redis", url: `redis://default:${password}@127.0.0.1:9`, timeoutMs: 300 } }),
  });
}

/** All that a server and its clients get to see, of a failing question, a search, a document and its own accounts. */
async function everything(content: boolean) {
  const config = folder.file(`${content}.yaml`);
  await writeFile(config, configuration(content));
  const child = start(folder.path, ["--config", config, "serve", "--port", "0"]);
  let log = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    log += text;
  });
  const out = await printed(child, /listening on \S+/);
  const url = /listening on (\S+);/.exec(out)?.[1] ?? "";
  const shown = [out];
  const get = async (path: string) => shown.push(await (await fetch(url + path)).text());
  const post = async (path: string, body: object) => shown.push(await (await postJson(url + path, body)).text());
  await post("/v1/documents", { id: "a", text: DOCUMENT });
  await post("/v1/ask", { question: QUESTION });
  await post("/v1/search", { query: QUESTION });
  await post("/v1/ask", { question: QUESTION, filter: { nowhere: 1 } });
  await get("/v1/status");
  await get("/readyz");
  await get("/metrics");
  await until("the log has a line for each", () => (log.match(/"msg":"(?:answer|request)"/g) ?? []).length >= 7);
  child.kill("SIGTERM");
  await new Promise((resolve) => child.once("close", resolve));
  return { log, shown: shown.join("\n"), lines: log.split("\n").filter((line) => line.startsWith("{")) };
}

const forms = (secret: string) => [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)];

describe("what the log, errors, status and metrics say", () => {
  it("one line a request, of what happened and not of what was said", async () => {
    const { log, shown, lines } = await everything(false);
    for (const secret of Object.values(SECRETS).flatMap(forms)) expect(log + shown).not.toContain(secret);
    for (const text of ["900101", "110-222", "김철수", "주민등록"]) expect(log).not.toContain(text);
    const answers = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "answer");
    expect(answers).toHaveLength(2);
    expect(answers[0]).toMatchObject({
      level: 30,
      requestId: expect.any(String),
      sessionId: expect.any(String),
      tenant: "default",
      collection: "default",
      route: "/v1/ask",
      outcome: "failed",
      code: "dependency_failed",
      step: "generate",
      totalMs: expect.any(Number),
      timings: { session: expect.any(Number), search: expect.any(Number), generate: expect.any(Number) },
      degraded: expect.arrayContaining(["embed: dependency_failed"]),
    });
    expect(Object.keys(answers[0])).not.toContain("question");
    const requests = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === "request");
    expect(requests.map(({ method, route, status }) => `${method} ${route} ${status}`)).toEqual(
      expect.arrayContaining(["POST /v1/search 200", "GET /v1/status 200", "GET /metrics 200"]),
    );
    // Why a step failed is told by the status and code of the upstream alone.
    expect(log).toContain('"code":"bad_thing"');
  });

  it("with log.content also what was asked, and still no secret", async () => {
    const { log, shown } = await everything(true);
    expect(log).toContain("900101");
    for (const secret of Object.values(SECRETS).flatMap(forms)) expect(log + shown).not.toContain(secret);
  });
});

describe("commands at a terminal", () => {
  const SECRET = "geheim-4711";
  const run = (args: readonly string[]) => finish(start(folder.path, args, { DEBUG: "1" }));

  it.each([
    ["search", { use: "postgres", url: `postgres://u:p@127.0.0.1:9/db?password=${SECRET}` }],
    ["search", { use: "opensearch", url: `http://127.0.0.1:9?api_key=${SECRET}` }],
    ["search", { use: "opensearch", url: `http://127.0.0.1:9,http://u:${SECRET}@127.0.0.1:8` }],
    ["search", { use: "milvus", url: `http://127.0.0.1:9?token=${SECRET}` }],
    ["search", { use: "milvus", url: `http://u:${SECRET}@127.0.0.1:9` }],
    ["session", { use: "redis", url: `redis://127.0.0.1:9/0?password=${SECRET}` }],
    ["models", { endpoint: `http://127.0.0.1:9?api_key=${SECRET}` }],
  ])("name the key, and no secret: %s %j", async (block, settings) => {
    await writeFile(folder.file("bad.yaml"), JSON.stringify({ [block]: settings }));
    const { code, stdout, stderr } = await run(["--config", "bad.yaml", "status"]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${block}.${"url" in settings ? "url" : "endpoint"}`);
    expect(stdout + stderr).not.toContain(SECRET);
  });

  it.each(["load", "bottleneck"])("%s names the server without them", async (command) => {
    const { code, stdout, stderr } = await run([command, "--url", `http://127.0.0.1:9/?api_key=${SECRET}`]);
    expect(code).toBe(1);
    expect(stderr).toContain("127.0.0.1:9");
    expect(stdout + stderr).not.toContain(SECRET);
  });

  it.each(["load", "bottleneck"])("%s says where a password belongs, without it", async (command) => {
    const { code, stdout, stderr } = await run([command, "--url", `http://u:${SECRET}@127.0.0.1:9`]);
    expect(code).toBe(2);
    expect(stderr).toContain("-H");
    expect(stdout + stderr).not.toContain(SECRET);
  });
});

describe("redaction", () => {
  it("takes out every secret that the configuration holds, in whatever form", () => {
    const secret = fc.string({ unit: "grapheme", minLength: 6, maxLength: 30 });
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), (apiKey, before, after) => {
        const redact = createRedaction({ generate: { apiKey, model: "m" } });
        const line = JSON.stringify({ msg: `${before}${apiKey}${after}` });
        expect(redact(line)).not.toContain(JSON.stringify(apiKey).slice(1, -1));
      }),
    );
  });

  it("callers' keys, of which there may be thousands: a line takes as long as with one", () => {
    const callers = Array.from({ length: 10_000 }, (_, i) => ({ name: `c${i}`, key: `k${i}+/0123456789abcdef==` }));
    const redact = createRedaction({ server: { callers: [...callers, { name: "odd", key: "odd:key!0123456789" }] } });
    const key = "k9999+/0123456789abcdef==";
    const line = JSON.stringify({
      msg: `Bearer ${key}, "${key}" ${encodeURIComponent(key)} odd:key!0123456789 k10000+/`,
    });
    expect(redact(line)).toBe(
      JSON.stringify({ msg: 'Bearer [redacted], "[redacted]" [redacted] [redacted] k10000+/' }),
    );
    const startedAt = performance.now();
    for (let i = 0; i < 100; i++) redact(line);
    // Looked for one by one they take 100 ms or more.
    expect(performance.now() - startedAt).toBeLessThan(50);
  });

  it("passwords in URLs, of one host or several", () => {
    const redact = createRedaction({ session: { url: "redis://user:ge%2Fheim@a:1,b:2/0" } });
    expect(redact("user ge%2Fheim ge/heim redis://user:ge%2Fheim@a:1")).toBe(
      "user [redacted] [redacted] redis://user:[redacted]@a:1",
    );
    const url = "postgres://ragline@host/ragline";
    expect(createRedaction({ session: { url } })(url)).toBe(url);
    const token = createRedaction({ telemetry: { endpoint: "https://sk-token-1@host/v1" } });
    expect(token("https://sk-token-1@host/v1")).toBe("https://[redacted]@host/v1");
  });

  it("what a URL's query says under a secret's name, and passwords of all of several URLs", () => {
    const redact = createRedaction({
      telemetry: { endpoint: "https://otel/v1?api_key=sk%2Dotel-1&region=seoul-2a" },
      search: { url: "http://u:geheim-1@a:9200, http://u:geheim-2@b:9200?password=geheim-3" },
    });
    expect(redact("sk%2Dotel-1 sk-otel-1 seoul-2a geheim-1 geheim-2 geheim-3")).toBe(
      "[redacted] [redacted] seoul-2a [redacted] [redacted] [redacted]",
    );
  });

  it("URLs that somebody typed are shown without user, password and secret parameters", () => {
    expect(
      withoutUrlSecrets("see http://u:geheim@h:1/p?api_key=a1&top=5&X-Amz-Signature=b2#c, or redis://geheim@h"),
    ).toBe(
      "see http://[redacted]@h:1/p?api_key=[redacted]&top=5&X-Amz-Signature=[redacted]#c, or redis://[redacted]@h",
    );
    for (const text of [
      "must be postgres://[user[:password]@]host[:port]/database",
      "http://h/docs?page=2",
      "a@b.kr?key",
      "연차는 며칠? key=15",
      "git@github.com:a/b",
    ]) {
      expect(withoutUrlSecrets(text)).toBe(text);
    }
  });

  it("leaves everything else as it is", () => {
    const line = '{"model":"gpt-4.1-mini","token":"abc","baseUrl":"http://localhost:8000/v1"}';
    expect(
      createRedaction({ generate: { model: "gpt-4.1-mini", apiKey: "x", baseUrl: "http://localhost" } })(line),
    ).toBe(line);
  });
});
