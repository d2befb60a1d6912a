import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sleep, until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { type Event, eventsOf, postJson } from "../support/http.ts";
import { StageProcess, serve, Upstream } from "../support/processes.ts";
import { PAGES } from "../support/ragline.ts";
import { type RedisServer, redisMissing, startRedis } from "../support/redis.ts";
import { DIMENSIONS } from "../support/stub-embeddings.ts";

/** At least so many are asked, and until every service was killed once. `npm run chaos`: 1,000. */
const QUESTIONS = Number(process.env.RAGLINE_CHAOS ?? 120);
const CONCURRENT = 32;
const TIMEOUT_MS = 10_000;
const GRACE_MS = 5000;

let folder: ReturnType<typeof temporaryFolder>;
let redis: RedisServer;
let embedder: Upstream;
let reranker: Upstream;
let model: Upstream;
let stages: { readonly embed: StageProcess[]; readonly rerank: StageProcess[]; readonly generate: StageProcess[] };
type Server = Awaited<ReturnType<typeof serve>>;
let overHttp: Server;
let overGrpc: Server;

/** The models over HTTP: as a server calls them, and as a stage of its own does. */
function models() {
  const embed = { use: "openai", baseUrl: `${embedder.url}/v1`, model: "e5", dimensions: DIMENSIONS, timeoutMs: 3000 };
  const rerank = { use: "tei", baseUrl: reranker.url, timeoutMs: 3000 };
  return { embed, rerank, generate: { use: "openai", baseUrl: `${model.url}/v1`, model: "m" } };
}

function config(db: string, steps: object) {
  return {
    ...steps,
    search: { use: "sqlite", file: `${db}.db` },
    cache: { use: "none" },
    session: { use: "redis", url: redis.url, timeoutMs: 2000 },
    server: { port: 0, timeoutMs: TIMEOUT_MS },
  };
}

describe.skipIf(redisMissing)("services apart", () => {
  beforeAll(async () => {
    folder = temporaryFolder();
    redis = await startRedis();
    [embedder, reranker, model] = await Promise.all([Upstream.start(), Upstream.start(), Upstream.start()]);
    const started = (stage: "embed" | "rerank" | "generate", count: number) =>
      Promise.all(Array.from({ length: count }, () => StageProcess.start(folder.path, stage, models())));
    stages = {
      embed: await started("embed", 2),
      rerank: await started("rerank", 2),
      generate: await started("generate", 2),
    };
    const at = (step: keyof typeof stages) => ({
      use: "grpc",
      endpoints: stages[step].map(({ address }) => address),
      reconnectMaxMs: 500,
    });
    overHttp = await serve(folder.path, "http", config("http", models()));
    overGrpc = await serve(
      folder.path,
      "grpc",
      config("grpc", {
        embed: { ...at("embed"), timeoutMs: 3000 },
        rerank: { ...at("rerank"), timeoutMs: 3000 },
        generate: at("generate"),
      }),
    );
    for (const { url } of [overHttp, overGrpc]) {
      for (const page of PAGES) expect((await postJson(`${url}/v1/documents`, page)).status).toBeLessThan(300);
    }
  });
  afterAll(async () => {
    const all = [embedder, reranker, model, overHttp, overGrpc, ...Object.values(stages ?? {}).flat()];
    await Promise.all(all.map((one) => one?.kill()));
    await redis?.close();
    folder?.remove();
  });

  describe.each([
    ["over HTTP", () => overHttp],
    ["over gRPC, then HTTP", () => overGrpc],
  ])("a client that leaves, %s", (_, server) => {
    test.each([
      ["embed", () => embedder, "slow 20000"],
      ["rerank", () => reranker, "slow 20000"],
      ["generate", () => model, "long"],
    ] as const)("stops the work of %s within 200 ms", { retry: 2 }, async (_step, of, mode) => {
      const upstream = of();
      await upstream.mode(mode);
      const since = Date.now();
      const controller = new AbortController();
      const asking = fetch(`${server().url}/v1/ask`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ question: `연차 휴가는 며칠인가요 ${since}?` }),
        signal: controller.signal,
      }).then((response) => response.text());
      asking.catch(() => undefined);
      await until("it works", async () => (await upstream.work()).lastWorkAt > since, 10_000);
      await sleep(100);
      const leftAt = Date.now();
      expect((await upstream.work()).lastWorkAt).toBeGreaterThan(leftAt - 90);
      controller.abort();
      await sleep(800);
      const { lastWorkAt } = await upstream.work();
      await upstream.mode("well");
      expect(lastWorkAt - leftAt).toBeLessThan(200);
    });
  });

  test("every service in turn is killed and started again: no stream hangs, no session is mixed up, every failure is typed", {
    timeout: 600_000,
  }, async () => {
    const services = [...Object.values(stages).flat(), redis];
    let isOver = false;
    let kills = 0;
    const killing = (async () => {
      while (!isOver) {
        const service = services[kills++ % services.length];
        await service?.kill();
        await sleep(500);
        await service?.restart();
        await sleep(500);
      }
    })();
    const counts = { answered: 0, degraded: 0, failed: 0, refused: 0 };
    const codes = new Map<string, number>();
    const count = (code: string) => codes.set(code, (codes.get(code) ?? 0) + 1);
    const hung: string[] = [];
    let asked = 0;
    await model.mode("slow 300");
    const reader = async (id: number) => {
      for (let turn = 0; asked < QUESTIONS || kills < services.length; turn++) {
        asked++;
        const question = `${id}번 독자의 ${turn}번 질문: 연차 휴가는 며칠인가요?`;
        const outcome = await askOnce(overGrpc.url, `reader-${id}`, question);
        if (!outcome) hung.push(question);
        else counts[outcome.kind]++;
        for (const code of outcome?.codes ?? []) count(code);
        // Whoever is refused comes back a little later.
        if (outcome?.kind === "failed" || outcome?.kind === "refused") await sleep(100);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENT }, (_, id) => reader(id)));
    isOver = true;
    await killing;
    console.log(
      `${asked} questions, ${CONCURRENT} at once, ${kills} kills: ${JSON.stringify({ ...counts, codes: Object.fromEntries(codes) })}`,
    );
    expect(hung).toEqual([]);
    expect(counts.answered + counts.degraded + counts.failed + counts.refused).toBe(asked);
    expect(counts.answered).toBeGreaterThan(asked / 4);
    const mixed: string[] = [];
    for (let id = 0; id < CONCURRENT; id++) {
      let response: Response | undefined;
      await until("the conversation is read, or was never kept", async () => {
        response = await fetch(`${overGrpc.url}/v1/sessions/reader-${id}`);
        return response.status === 200 || response.status === 404;
      });
      if (response?.status !== 200) continue;
      const session = (await response.json()) as { turns: { question: string }[] };
      mixed.push(...session.turns.map((one) => one.question).filter((one) => !one.startsWith(`${id}번 독자의 `)));
    }
    expect(mixed).toEqual([]);
  });
});

type Outcome = { readonly kind: "answered" | "degraded" | "failed" | "refused"; readonly codes: readonly string[] };

/** One question to its end; null: it has none in time. Throws where an end or an error is not as it must be. */
async function askOnce(url: string, sessionId: string, question: string): Promise<Outcome | null> {
  const asking = postJson(`${url}/v1/ask`, { question, sessionId }).then(async (response): Promise<Outcome> => {
    if (response.status !== 200) {
      const { error } = (await response.json()) as { error: { code: string; step: string } };
      expect(error).toMatchObject({ code: expect.any(String), step: expect.any(String) });
      expect(error.code).not.toBe("internal");
      return { kind: "refused", codes: [`${error.step} ${error.code}`] };
    }
    const events: Event[] = await eventsOf(response);
    const [first] = events;
    const last = events.at(-1);
    expect(first).toMatchObject({ type: "answer-start", sessionId });
    if (last?.type === "answer-error") {
      expect(last.error.code).not.toBe("internal");
      return { kind: "failed", codes: [`${last.error.step} ${last.error.code}`] };
    }
    if (last?.type !== "answer-end") throw new Error("an answer without an end");
    const codes = last.degraded.map(({ step, reason }) => `${step} ${reason}`);
    return { kind: codes.length > 0 ? "degraded" : "answered", codes };
  });
  return Promise.race([asking, sleep(TIMEOUT_MS + GRACE_MS).then(() => null)]);
}
