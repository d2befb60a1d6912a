import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { ConfigInput, WholeAnswer } from "../../src/index.ts";
import type { Session } from "../../src/types.ts";
import { sleep, until } from "../support/calls.ts";
import { expectError, postJson } from "../support/http.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";
import { redisMissing, startRedis } from "../support/redis.ts";
import { chunk, streaming, stubModel } from "../support/stub-model.ts";
import type { StubServer } from "../support/stub-server.ts";

const json = { accept: "application/json" };

describe("a conversation's turns, page by page", () => {
  let served: ServedRagline;
  beforeAll(async () => {
    served = await serveRagline({ cache: { use: "none" } });
    await addPages(served.ragline);
    for (let i = 1; i <= 5; i++) {
      await postJson(`${served.url}/v1/ask`, { question: `휴가 규정 ${i}번`, sessionId: "s" }, json);
    }
  });
  afterAll(() => served.close());
  const turns = (query = "", id = "s") => fetch(`${served.url}/v1/sessions/${id}/turns${query}`);

  test("each page says where the next begins; the last does not", async () => {
    const seen: number[] = [];
    let after = 0;
    for (const size of [2, 2, 1]) {
      const page = (await (await turns(`?limit=2&after=${after}`)).json()) as Session & { next?: number };
      expect(page.turns).toHaveLength(size);
      seen.push(...page.turns.map(({ number }) => number));
      expect(page.next).toBe(seen.length < 5 ? seen.length : undefined);
      after = page.next ?? after;
    }
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    expect(await (await turns("?after=5")).json()).toEqual({ turns: [] });
    expect(await (await turns("?limit=5")).json()).not.toHaveProperty("next");
  });

  test("a turn says where the citations of its answer point", async () => {
    const asked = { question: "휴가는 며칠인가요?", sessionId: "cited" };
    const { text, sources } = (await (await postJson(`${served.url}/v1/ask`, asked, json)).json()) as WholeAnswer;
    const cited = sources.filter(({ n }) => text.includes(`[${n}]`));
    expect(cited).not.toEqual([]);
    const page = (await (await turns("", "cited")).json()) as Session;
    const session = (await (await fetch(`${served.url}/v1/sessions/cited`)).json()) as Session;
    for (const [turn] of [page.turns, session.turns]) {
      expect(turn?.sources).toEqual(
        cited.map(({ n, passageId, documentId, title, url }) => ({
          ...{ n, passageId, documentId, title },
          ...(url !== undefined && { url }),
        })),
      );
    }
  });

  test("a question asked again is another turn, whatever request id it brings along", async () => {
    const headers = { ...json, "x-request-id": "again" };
    const ids: (string | null)[] = [];
    for (let i = 0; i < 2; i++) {
      const answer = await postJson(`${served.url}/v1/ask`, { question: "휴가?", sessionId: "again" }, headers);
      ids.push(answer.headers.get("x-request-id"));
    }
    const page = (await (await turns("", "again")).json()) as Session;
    expect(page.turns.map(({ requestId }) => requestId)).toEqual(ids);
    expect(new Set([...ids, "again"]).size).toBe(3);
  });

  test("an unknown conversation is not found; one that was deleted neither", async () => {
    await expectError(await turns("", "nobody"), "not_found", /nobody/);
    await expectError(await turns("?after=5", "nobody"), "not_found", /nobody/);
    await postJson(`${served.url}/v1/ask`, { question: "휴가?", sessionId: "gone" }, json);
    expect((await turns("", "gone")).status).toBe(200);
    await fetch(`${served.url}/v1/sessions/gone`, { method: "DELETE" });
    await expectError(await turns("", "gone"), "not_found", /gone/);
  });

  test("limits are named", async () => {
    await expectError(await turns("?limit=501"), "request_invalid", /limit/);
    await expectError(await turns("?limit=0"), "request_invalid", /limit/);
    await expectError(await turns("?after=-1"), "request_invalid", /after/);
  });
});

/** An answer that takes four leases never shows as interrupted while it runs, and is complete afterwards. */
async function outlivesItsLease(upstream: StubServer, session: ConfigInput["session"]): Promise<void> {
  const served = await serveRagline({
    session,
    generate: { use: "openai", baseUrl: upstream.url, model: "m" },
    cache: { use: "none" },
  } as ConfigInput);
  onTestFinished(() => served.close());
  await addPages(served.ragline);
  const words = Array.from({ length: 100 }, (_, i) => chunk.text(` 낱말${i}`));
  upstream.answer(streaming([...words, chunk.finish("stop"), chunk.done], { gapMs: 24 }));
  const asked = postJson(`${served.url}/v1/ask`, { question: "연차 휴가는 며칠인가요?", sessionId: "long" }, json);
  const startedAt = performance.now();
  const seen = new Set<string>();
  const read = () => served.ragline.readSession("long");
  await until("it is pending", async () => (await read())?.pending.length === 1);
  for (let session = await read(); session?.pending.length; session = await read()) {
    for (const { status } of session.pending) seen.add(status);
    await sleep(20);
  }
  expect(performance.now() - startedAt).toBeGreaterThan(2000);
  expect(seen).toEqual(new Set(["pending"]));
  expect((await asked).status).toBe(200);
  expect(await read()).toMatchObject({ turns: [{ status: "complete" }] });
}

describe("an answer longer than its lease", () => {
  let upstream: StubServer;
  beforeAll(async () => {
    upstream = await stubModel();
  });
  afterAll(() => upstream.close());

  test("in sqlite", () => outlivesItsLease(upstream, { use: "sqlite", leaseMs: 601 }));

  test.skipIf(redisMissing !== null)("in redis", async () => {
    const server = await startRedis();
    onTestFinished(() => server.close());
    await outlivesItsLease(upstream, { use: "redis", url: server.url, leaseMs: 600 });
  });
});
