import { afterAll, beforeAll, expect, test } from "vitest";
import { type ComposedStage, composeStage } from "../../src/compose/stage.ts";
import { parseConfig } from "../../src/config.ts";
import { readinessSchema, statusSchema } from "../../src/http/responses.ts";
import type { ConfigInput } from "../../src/index.ts";
import { until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";
import { freePort } from "../support/redis.ts";
import { serveOnLoopback } from "../support/stages-apart.ts";

const folder = temporaryFolder();
let embed: Awaited<ReturnType<typeof apart>>;
let search: Awaited<ReturnType<typeof apart>>;
let served: ServedRagline;

async function apart(name: ComposedStage["stage"], port = 0) {
  const config = { embed: { use: "hashing" }, search: { file: folder.file("index.db") } } as ConfigInput;
  const stage = await composeStage(parseConfig(config), name);
  const server = await serveOnLoopback(stage, { drainMs: 0, port });
  return {
    address: server.address,
    async stop() {
      await server.close();
      await stage.close();
    },
  };
}

beforeAll(async () => {
  embed = await apart("embed");
  search = await apart("search");
  served = await serveRagline({
    embed: { use: "grpc", endpoints: [embed.address] },
    search: { use: "grpc", endpoints: [search.address], retries: 0 },
  } as unknown as ConfigInput);
  await addPages(served.ragline);
});
afterAll(async () => {
  await served.close();
  folder.remove();
});

async function readiness() {
  const response = await fetch(`${served.url}/readyz`);
  return { status: response.status, ...readinessSchema.strict().parse(await response.json()) };
}

test("ready only while answers are possible; what they can do without is named", async () => {
  expect(await readiness()).toEqual({ status: 200, ready: true, missing: [], degraded: [] });
  await embed.stop();
  await until("its end is noticed", async () => (await readiness()).degraded.length > 0);
  expect(await readiness()).toMatchObject({
    ...{ status: 200, ready: true, missing: [] },
    degraded: [expect.stringMatching(/^embed: /)],
  });
  expect((await served.ragline.answer({ question: "연차 휴가는 며칠인가요?" })).degraded).toMatchObject([
    { step: "embed" },
  ]);
  await search.stop();
  await until("its end is noticed", async () => (await readiness()).status === 503);
  expect((await readiness()).missing).toEqual([expect.stringMatching(/^search: /)]);
});

test("without the search stage the status says what it knows, and what not", async () => {
  const response = await fetch(`${served.url}/v1/status`);
  expect(response.status).toBe(200);
  const status = statusSchema.strict().parse(await response.json());
  expect(status).toMatchObject({
    ...{ documents: null, passages: null, indexedWith: null },
    missing: [expect.stringMatching(/^search: /)],
    stages: { search: "grpc", generate: "extractive" },
  });
  expect(status.endpoints.map(({ step, serving }) => [step, serving])).toEqual([
    ["embed", false],
    ["search", false],
  ]);
});

test("started while the search stage is away, it says so, and answers once the stage is there", async () => {
  const port = await freePort();
  const late = await serveRagline({
    embed: { use: "hashing" },
    search: { use: "grpc", endpoints: [`127.0.0.1:${port}`], reconnectMaxMs: 500 },
  } as unknown as ConfigInput);
  const ready = async () => (await fetch(`${late.url}/readyz`)).status;
  expect(await ready()).toBe(503);
  const stage = await apart("search", port);
  await until("it is ready", async () => (await ready()) === 200, 20_000);
  expect((await late.ragline.answer({ question: "연차 휴가는 며칠인가요?" })).degraded).toEqual([]);
  await late.close();
  await stage.stop();
});
