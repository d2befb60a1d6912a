import { expect, test } from "vitest";
import { RaglineError } from "../../src/errors.ts";
import { addPages, openRagline, serveRagline } from "../support/ragline.ts";

const EMULATED = {
  embed: { use: "simulated", serviceMs: 1, itemMs: 0 },
  rerank: { use: "simulated", serviceMs: { distribution: "uniform", min: 1, max: 2 }, itemMs: 0 },
  generate: { use: "simulated", firstTokenMs: 1, tokenMs: 0, tokens: 10 },
} as const;

test("every stage emulated: questions are answered, and the status says what is emulated", async () => {
  const served = await serveRagline(EMULATED as never);
  try {
    await addPages(served.ragline);
    const status = await (await fetch(`${served.url}/v1/status`)).json();
    expect(status).toMatchObject({
      emulated: ["embed", "rerank", "generate"],
      stages: { embed: "simulated/static-ko-en/256", rerank: "simulated", generate: "simulated" },
    });
    const answer = await served.ragline.answer({ question: "연차 휴가는 며칠인가요?" });
    expect(answer.text).toContain("15일");
    expect(answer.degraded).toEqual([]);
  } finally {
    await served.close();
  }
});

test("nothing is emulated by default", async () => {
  const opened = await openRagline();
  expect((await opened.ragline.status()).emulated).toEqual([]);
  await opened.close();
});

test("a distribution that cannot be is refused, by its path", async () => {
  const bad = { ...EMULATED, rerank: { use: "simulated", serviceMs: { distribution: "uniform", min: 2, max: 1 } } };
  const refused = await openRagline(bad as never).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(RaglineError);
  expect(String(refused)).toContain("rerank.serviceMs");
});
