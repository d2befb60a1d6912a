import { writeFile } from "node:fs/promises";
import { expect, onTestFinished, test } from "vitest";
import { createHashingEmbedder } from "../../src/adapters/embedder/hashing.ts";
import { withMethods } from "../../src/wrap/with-methods.ts";
import { printed, start } from "../cli/run.ts";
import { until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { eventsOf, postJson } from "../support/http.ts";
import { otlpReceiver } from "../support/otlp-receiver.ts";
import { addPages, serveRagline } from "../support/ragline.ts";
import { sampleOf, scrape } from "../support/scrape.ts";
import { modelOf } from "../support/stages.ts";
import { serveOnLoopback } from "../support/stages-apart.ts";
import { tei, teiRerank } from "../support/stub-rerank.ts";
import { stubServer } from "../support/stub-server.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER = "00f067aa0ba902b7";

test("a trace goes on over gRPC into a stage's process, and on from there", async () => {
  const folder = temporaryFolder();
  const receiver = await otlpReceiver();
  const model = await stubServer(tei(teiRerank));
  const traced = { traces: "otlp", endpoint: receiver.url, sampling: 1 };
  const config = folder.file("stage.yaml");
  const rerank = { use: "tei", baseUrl: model.url };
  await writeFile(config, JSON.stringify({ rerank, telemetry: { ...traced, serviceName: "stage" } }));
  const stage = start(folder.path, ["--config", config, "stage", "rerank", "--port", "0"]);
  const out = await printed(stage, /serving/);
  const [, address = ""] = /listening on (\S+);/.exec(out) ?? [];
  const served = await serveRagline({
    rerank: { use: "grpc", endpoints: [address] },
    telemetry: { ...traced, serviceName: "first" },
  } as never);
  onTestFinished(async () => {
    stage.kill("SIGKILL");
    await served.close();
    await model.close();
    await receiver.close();
    folder.remove();
  });
  await addPages(served.ragline);
  const traceparent = `00-${TRACE}-${CALLER}-01`;
  await eventsOf(await postJson(`${served.url}/v1/ask`, { question: "연차 휴가는 며칠인가요?" }, { traceparent }));
  await served.ragline.telemetry.traces?.flush();
  // A stage that is told to stop sends what it has.
  stage.kill("SIGTERM");
  const spans = () => receiver.spans.filter(({ traceId }) => traceId === TRACE);
  await until("the stage's spans are there", () => spans().some(({ service }) => service === "stage"), 20_000);

  const of = (service: string, name: RegExp) => spans().find((one) => one.service === service && name.test(one.name));
  const client = of("first", /^rerank ./);
  const server = of("stage", /^ragline\.v1\.\w+\/Rerank$/);
  const beyond = of("stage", /^rerank ./);
  expect(client?.attributes).toMatchObject({ "gen_ai.provider.name": "grpc", "server.address": "127.0.0.1" });
  expect(server).toMatchObject({ parentId: client?.spanId, kind: 2, attributes: { "rpc.system.name": "grpc" } });
  expect(beyond).toMatchObject({ parentId: server?.spanId, kind: 3 });
  expect(model.requests.at(-1)?.headers.traceparent).toBe(`00-${TRACE}-${beyond?.spanId}-01`);
});

test("what stages apart say of their calls is counted in a recorded trace as in none", async () => {
  const receiver = await otlpReceiver();
  const called = { inputTokens: 11, outputTokens: 0, ms: 2.5 };
  const embedder = withMethods(createHashingEmbedder({ dimensions: 64 }), {
    async embed(texts, _kind, call) {
      call.onModelCall?.(called);
      return texts.map(() => new Float32Array(64).fill(0.125));
    },
  });
  const stages = {
    embed: await serveOnLoopback({ stage: "embed", port: embedder }),
    rerank: await serveOnLoopback({
      stage: "rerank",
      port: {
        model: "m",
        async rerank(_query, texts, call) {
          call.onModelCall?.(called);
          return texts.map((_, index) => ({ index, score: 1 }));
        },
      },
    }),
    generate: await serveOnLoopback({
      stage: "generate",
      port: modelOf(async function* (_request, call) {
        yield { type: "text", text: "15일입니다 [1]." };
        call.onModelCall?.({ ...called, outputTokens: 7 });
        yield { type: "end", finishReason: "stop" };
      }),
    }),
  };
  const apart = (stage: keyof typeof stages) => ({ use: "grpc", endpoints: [stages[stage].address] });
  const served = await serveRagline({
    embed: apart("embed"),
    rerank: apart("rerank"),
    generate: apart("generate"),
    telemetry: { traces: "otlp", endpoint: receiver.url, sampling: 1 },
  } as never);
  onTestFinished(async () => {
    await served.close();
    for (const stage of Object.values(stages)) await stage.close();
    await receiver.close();
  });
  await addPages(served.ragline);
  const events = await eventsOf(await postJson(`${served.url}/v1/ask`, { question: "연차 휴가는 며칠인가요?" }));
  const once = { calls: 1, inputTokens: 11, outputTokens: 0, ms: 2.5 };
  expect(events.at(-1)).toMatchObject({ calls: { embed: once, rerank: once, generate: { ...once, outputTokens: 7 } } });
  const samples = await scrape(served.url);
  expect(sampleOf(samples, "ragline_tokens_total", { step: "rerank", direction: "in" })).toBe(11);
  expect(sampleOf(samples, "ragline_tokens_total", { step: "generate", direction: "out" })).toBe(7);
});
