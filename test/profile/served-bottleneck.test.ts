import { afterEach, expect, test } from "vitest";
import type { ConfigInput } from "../../src/index.ts";
import type { Bottleneck } from "../../src/profile/bottleneck.ts";
import { liveBottleneck } from "../../src/profile/live.ts";
import { sleep, until } from "../support/calls.ts";
import { postJson } from "../support/http.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";
import { sampleOf, scrape } from "../support/scrape.ts";
import { streaming, stubModel, wholeStream } from "../support/stub-model.ts";

const QUESTION = "연차 휴가는 며칠인가요?";

const toClose: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0).toReversed()) await close();
});

async function served(config: ConfigInput): Promise<ServedRagline> {
  const opened = await serveRagline({ rerank: { use: "none" }, cache: { use: "none" }, ...config } as ConfigInput);
  toClose.push(() => opened.close());
  await addPages(opened.ragline);
  // What is opened with the first question is none of the load's.
  await opened.ragline.search({ query: QUESTION });
  return opened;
}

/** An emulated model server. */
function emulated(change: object): ConfigInput {
  return { generate: { use: "simulated", tokens: 1, tokenMs: 0, ...change } } as ConfigInput;
}

/** What two readings of a server's own metrics say of what it did between them. */
async function bottleneck({ url }: ServedRagline, load: () => Promise<unknown>): Promise<Bottleneck> {
  const read = async () => (await fetch(`${url}/metrics`)).text();
  const before = await read();
  const startedAt = performance.now();
  await load();
  const seconds = (performance.now() - startedAt) / 1000;
  return liveBottleneck({ before, after: await read(), seconds }, []);
}

/** So many readers who ask at once. */
function readers({ url }: ServedRagline, count: number, question: object = {}): Promise<unknown> {
  const reader = async () => (await postJson(`${url}/v1/ask`, { question: QUESTION, ...question })).text();
  return Promise.all(Array.from({ length: count }, reader));
}

test("a line at a model server with one slot: named, with those who stand in it", async () => {
  const server = await served(emulated({ firstTokenMs: 150, slots: 1 }));
  const { throughput, firstText } = await bottleneck(server, () => readers(server, 8));
  expect(throughput.stage, throughput.because).toBe("generate");
  const [, waiting, each] = /([\d.]+) calls wait in line on average, (\d+) ms each/.exec(throughput.because) ?? [];
  // Eight come at once: the last waits for seven, and half of that is the mean; less where they come one by one.
  expect(Number(waiting)).toBeGreaterThan(0.5);
  expect(Number(waiting)).toBeLessThanOrEqual(3.5);
  expect(Number(each)).toBeGreaterThan(150);
  expect(throughput.advice).toContain("replicate the model server");
  expect(firstText.stage).toBe("generate");
});

test("every answer fails: the stage that fails is named, and nothing is called fast", async () => {
  const server = await served(emulated({ firstTokenMs: 600_000, firstTokenTimeoutMs: 30 }));
  const { throughput, firstText } = await bottleneck(server, () => readers(server, 4));
  expect(throughput).toMatchObject({
    stage: "generate",
    because: expect.stringMatching(/^no answer had any text .* generate fails in 100% \(dependency_timeout\)$/),
    advice: expect.stringContaining("replicate the model server"),
  });
  expect(firstText).toEqual(throughput);
});

test("a model that never begins: where the calls are is named, and then who kept the readers that left", async () => {
  const server = await served(emulated({ firstTokenMs: 600_000 }));
  const leaving = new AbortController();
  const underWay = async () => sampleOf(await scrape(server.url), "ragline_active_steps", { step: "generate" });
  const asked = Array.from({ length: 3 }, () =>
    fetch(`${server.url}/v1/ask`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ question: QUESTION }),
      signal: leaving.signal,
    }).then((response) => response.text()),
  );
  await until("all wait for the model", async () => (await underWay()) === 3);
  const held = await bottleneck(server, () => sleep(20));
  expect(held.throughput).toMatchObject({
    stage: "generate",
    because: expect.stringMatching(/^no question was answered .* and 3 are under way, 3 of them in generate$/),
  });
  const left = await bottleneck(server, async () => {
    await sleep(200);
    leaving.abort();
    await Promise.allSettled(asked);
    await until("all have left", async () => (await underWay()) === 0);
  });
  expect(left.throughput).toMatchObject({
    stage: "generate",
    because: expect.stringMatching(/: readers leave 100% of them before it, after 0\.\d s in generate$/),
  });
  expect(left.firstText).toEqual(left.throughput);
});

test("a model that takes long to rewrite a follow-up: the first text is bound by rewriting, not by the answer", async () => {
  const model = await stubModel(async (request, response) => {
    const isRewriting = JSON.stringify(request.body).includes("Rewrite the last question");
    if (isRewriting) await sleep(300);
    await streaming(wholeStream([isRewriting ? "병가는 며칠인가요?" : "60일입니다 [1]."]))(request, response);
  });
  toClose.push(() => model.close());
  const generate = { use: "openai", baseUrl: model.url, model: "m" };
  const server = await served({ generate, rewrite: { use: "model", timeoutMs: 10_000 } } as ConfigInput);
  const history = [
    { role: "user", content: "연차 휴가는 며칠인가요?" },
    { role: "assistant", content: "15일입니다." },
  ];
  const { throughput, firstText } = await bottleneck(server, () =>
    readers(server, 2, { question: "그럼 병가는?", history }),
  );
  expect(firstText.stage).toBe("rewrite");
  const [, ms] = /^rewrite takes ([\d.]+) of the/.exec(firstText.because) ?? [];
  expect(Number(ms)).toBeGreaterThanOrEqual(299);
  expect(throughput.stage).toBeNull();
});
