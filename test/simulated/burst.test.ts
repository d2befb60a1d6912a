import { expect, onTestFinished, test } from "vitest";
import type { RaglineError } from "../../src/errors.ts";
import { until } from "../support/calls.ts";
import { addPages, openRagline, PAGES, serveRagline } from "../support/ragline.ts";
import { sampleOf, scrape } from "../support/scrape.ts";

test("after a burst, a request with less time than the burst's calls waited is served, with all its steps", async () => {
  const { ragline, close } = await openRagline({
    embed: { use: "simulated", serviceMs: 5, slots: 1 },
    rerank: { use: "simulated", serviceMs: 5, itemMs: 0, slots: 1 },
    generate: { use: "simulated", firstTokenMs: 30, tokenMs: 1, tokens: 20, slots: 1 },
  });
  onTestFinished(close);
  await addPages(ragline);
  const ask = (question: string, timeoutMs?: number) =>
    ragline.answer({ question, cache: false, ...(timeoutMs !== undefined && { timeoutMs }) });
  await Promise.all(Array.from({ length: 60 }, (_, i) => ask(`${PAGES[i % 3]?.id} ${i}`)));
  for (let i = 0; i < 5; i++) {
    expect((await ask(`How long must a password be? ${i}`, 900)).degraded).toEqual([]);
  }
});

test("more than can be served in time is refused at once, with when to come back, and who is let in is served", async () => {
  const { ragline, url, close } = await serveRagline({
    embed: { use: "hashing" },
    rerank: { use: "none" },
    generate: { use: "simulated", firstTokenMs: 50, tokenMs: 0, tokens: 20, slots: 1 },
    server: { timeoutMs: 2000 },
  });
  onTestFinished(close);
  await addPages(ragline);
  const ask = (question: string) =>
    ragline.answer({ question, cache: false }).then(
      () => null,
      (thrown: RaglineError) => thrown,
    );
  for (let i = 0; i < 20; i++) await ask(`password ${i}`);
  const startedAt = performance.now();
  const asked = Array.from({ length: 100 }, async (_, i) => {
    const error = await ask(`laptop ${i}`);
    return { error, ms: performance.now() - startedAt };
  });
  await until("the line is seen", async () => {
    return sampleOf(await scrape(url), "ragline_queue_depth", { step: "generate" }) > 10;
  });
  const refused = (await Promise.all(asked)).filter(({ error }) => error !== null);
  expect(refused.length).toBeGreaterThan(40);
  expect(refused.length).toBeLessThan(95);
  for (const { error, ms } of refused) {
    expect(error).toMatchObject({ code: "overloaded", step: "generate", retryAfterMs: expect.any(Number) });
    expect(ms).toBeLessThan(2000);
  }
});
