import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ConfigInput } from "../../src/index.ts";
import type { EndpointState } from "../../src/types.ts";
import { until } from "../support/calls.ts";
import { eventsOf, expectError, postJson } from "../support/http.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";
import { DIMENSIONS, embeddings } from "../support/stub-embeddings.ts";
import { refusing, streaming, stubModel, wholeStream } from "../support/stub-model.ts";
import { tei, teiRerank } from "../support/stub-rerank.ts";
import { type StubServer, stubServer } from "../support/stub-server.ts";

/** Two endpoints each for embed and rerank, one for generate, all over real sockets. */
describe("several endpoints of a step", () => {
  let embedders: StubServer[];
  let rerankers: StubServer[];
  let model: StubServer;
  let served: ServedRagline;

  beforeAll(async () => {
    embedders = [await stubServer(embeddings), await stubServer(embeddings)];
    rerankers = [await stubServer(tei(teiRerank)), await stubServer(tei(teiRerank))];
    model = await stubModel();
    const breaker = { callsMin: 4, openMs: 300 };
    served = await serveRagline({
      embed: {
        use: "openai",
        baseUrl: embedders.map(({ url }) => `${url}/v1`),
        model: "e5",
        dimensions: DIMENSIONS,
        balance: "round_robin",
      },
      rerank: { use: "tei", baseUrl: rerankers.map(({ url }) => url), timeoutMs: 200, breaker },
      generate: { use: "openai", baseUrl: model.url, model: "m", retries: 0, breaker },
      cache: { use: "none" },
    } as ConfigInput);
    await addPages(served.ragline);
  });
  afterAll(async () => {
    await served.close();
    await Promise.all([...embedders, ...rerankers, model].map((server) => server.close()));
  });

  let asked = 0;
  const ask = async () =>
    (await eventsOf(await postJson(`${served.url}/v1/ask`, { question: `연차 휴가는 며칠인가요? ${asked++}` }))).at(-1);
  const states = async (step: string) => {
    const { endpoints } = (await (await fetch(`${served.url}/v1/status`)).json()) as { endpoints: EndpointState[] };
    return endpoints.filter((one) => one.step === step);
  };

  test("share the calls; the status shows each, by host and path alone", async () => {
    for (let i = 0; i < 6; i++) expect(await ask()).toMatchObject({ type: "answer-end", degraded: [] });
    const embed = await states("embed");
    expect(embed.map(({ endpoint }) => `http://${endpoint}`)).toEqual(embedders.map(({ url }) => `${url}/v1`));
    for (const { calls, failures, breaker, serving } of embed) {
      expect(calls).toBeGreaterThanOrEqual(3);
      expect([failures, breaker, serving]).toEqual([0, "closed", true]);
    }
    expect(await states("generate")).toMatchObject([{ calls: 6, failures: 0, inFlight: 0 }]);
  });

  test("one that is gone costs no answer anything", async () => {
    await embedders[0]?.close();
    await rerankers[1]?.close();
    for (let i = 0; i < 8; i++) expect(await ask()).toMatchObject({ type: "answer-end", degraded: [] });
  });

  test("all gone: the step degrades without a call, and nothing waits for its limit", async () => {
    rerankers[0]?.answer(() => undefined);
    const reasons: string[] = [];
    await until("the breakers are open", async () => {
      const end = await ask();
      if (end?.type !== "answer-end") throw new Error("no answer");
      reasons.push(...end.degraded.map(({ step, reason }) => `${step} ${reason}`));
      return reasons.at(-1) === "rerank overloaded";
    });
    expect(reasons[0]).toBe("rerank dependency_timeout");
    // Whoever is let through to see how it is waits for its limit all the same.
    const ends = await Promise.all([ask(), ask(), ask(), ask()]);
    const waited = ends.filter((end) => end?.type === "answer-end" && (end.timings.rerank ?? 0) > 100);
    expect(waited.length).toBeLessThanOrEqual(1);
    expect((await states("rerank")).some(({ breaker }) => breaker !== "closed")).toBe(true);
  });

  test("an open breaker of the model is an error at once, with Retry-After; well again, it answers", async () => {
    model.answer(refusing(503));
    const whole = () =>
      postJson(`${served.url}/v1/ask`, { question: "연차 휴가는 며칠인가요?" }, { accept: "application/json" });
    let response = await whole();
    await expectError(response.clone(), "dependency_failed", /503/);
    await until("the breaker opens", async () => {
      response = await whole();
      return response.status !== 502;
    });
    expect(response.headers.get("retry-after")).toBe("1");
    const error = await expectError(response, "overloaded", /generate/);
    expect(error.retryAfterMs).toBeLessThanOrEqual(300);
    model.answer(streaming(wholeStream(["네"])));
    await until("it answers", async () => (await ask())?.type === "answer-end");
    await until("the breaker closes", async () => {
      await ask();
      return (await states("generate")).every(({ breaker }) => breaker === "closed");
    });
  });
});
