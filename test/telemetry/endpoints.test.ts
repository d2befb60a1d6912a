import { expect, onTestFinished, test } from "vitest";
import { createLexicalReranker } from "../../src/adapters/reranker/lexical.ts";
import { until } from "../support/calls.ts";
import { serveRagline } from "../support/ragline.ts";
import { sampleOf, scrape } from "../support/scrape.ts";
import { serveOnLoopback } from "../support/stages-apart.ts";

test("the metrics say which of several endpoints is away, though no call fails for it", async () => {
  const stages = [
    await serveOnLoopback({ stage: "rerank", port: createLexicalReranker() }),
    await serveOnLoopback({ stage: "rerank", port: createLexicalReranker() }),
  ] as const;
  const endpoints = stages.map(({ address }) => address);
  const { url, close } = await serveRagline({ rerank: { use: "grpc", endpoints } });
  onTestFinished(async () => {
    await close();
    for (const stage of stages) await stage.close();
  });
  const serving = async () => {
    const samples = await scrape(url);
    return endpoints.map((endpoint) => sampleOf(samples, "ragline_endpoint_serving", { step: "rerank", endpoint }));
  };
  await until("both serve", async () => !(await serving()).includes(0));
  await stages[0].close();
  await until("one is away", async () => (await serving())[0] === 0);
  expect(await serving()).toEqual([0, 1]);
});
