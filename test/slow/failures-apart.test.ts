import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sleep, until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { type Event, eventsOf, postJson } from "../support/http.ts";
import { ServerProcess, StageProcess, Upstream } from "../support/processes.ts";
import { PAGES } from "../support/ragline.ts";
import { freePort, type RedisServer, redisMissing, startRedis } from "../support/redis.ts";
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
let overHttp: ServerProcess;
let overGrpc: ServerProcess;
/** Beside it, over the same documents and conversations. */
let twin: ServerProcess;

/** The models over HTTP: as a server calls them, and as a stage of its own does. */
function models() {
  const embed = { use: "openai", baseUrl: `${embedder.url}/v1`, model: "e5", dimensions: DIMENSIONS, timeoutMs: 3000 };
  const rerank = { use: "tei", baseUrl: reranker.url, timeoutMs: 3000 };
  return { embed, rerank, generate: { use: "openai", baseUrl: `${model.url}/v1`, model: "m" } };
}

function config(db: string, port: number, steps: object) {
  return {
    ...steps,
    search: { use: "sqlite", file: `${db}.db` },
    cache: { use: "none" },
    session: { use: "redis", url: redis.url, timeoutMs: 2000 },
    server: { port, timeoutMs: TIMEOUT_MS },
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
    const apart = {
      embed: { ...at("embed"), timeoutMs: 3000 },
      rerank: { ...at("rerank"), timeoutMs: 3000 },
      generate: at("generate"),
    };
    const orchestrator = async (name: string) =>
      ServerProcess.start(folder.path, name, config("grpc", await freePort(), apart));
    overHttp = await ServerProcess.start(folder.path, "http", config("http", await freePort(), models()));
    overGrpc = await orchestrator("grpc");
    twin = await orchestrator("twin");
    for (const { url } of [overHttp, overGrpc]) {
      for (const page of PAGES) expect((await postJson(`${url}/v1/documents`, page)).status).toBeLessThan(300);
    }
  });
  afterAll(async () => {
    const all = [embedder, reranker, model, overHttp, overGrpc, twin, ...Object.values(stages ?? {}).flat()];
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
    const services = [...Object.values(stages).flat(), redis, overGrpc, twin];
    const orchestrators = [overGrpc, twin];
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
    const counts = { answered: 0, degraded: 0, failed: 0, refused: 0, cut: 0 };
    const codes = new Map<string, number>();
    const count = (code: string) => codes.set(code, (codes.get(code) ?? 0) + 1);
    const hung: string[] = [];
    let asked = 0;
    await model.mode("slow 300");
    const reader = async (id: number) => {
      for (let turn = 0; asked < QUESTIONS || kills < services.length; turn++) {
        asked++;
        const question = `${id}번 독자의 ${turn}번 질문: 연차 휴가는 며칠인가요?`;
        const { url } = orchestrators[(id + turn) % 2] ?? overGrpc;
        const outcome = await askOnce(url, `reader-${id}`, question);
        if (!outcome) hung.push(question);
        else counts[outcome.kind]++;
        for (const code of outcome?.codes ?? []) count(code);
        // Whoever is refused comes back a little later.
        if (outcome?.kind !== "answered" && outcome?.kind !== "degraded") await sleep(100);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENT }, (_, id) => reader(id)));
    isOver = true;
    await killing;
    console.log(
      `${asked} questions, ${CONCURRENT} at once, ${kills} kills: ${JSON.stringify({ ...counts, codes: Object.fromEntries(codes) })}`,
    );
    expect(hung).toEqual([]);
    expect(Object.values(counts).reduce((sum, one) => sum + one, 0)).toBe(asked);
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

/** `cut`: its orchestrator died, which the client sees by a stream without an end or a connection that is refused. */
type Outcome = {
  readonly kind: "answered" | "degraded" | "failed" | "refused" | "cut";
  readonly codes: readonly string[];
};

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
  const orCut = asking.catch((thrown): Outcome => {
    // What `fetch` rejects with where a connection is refused or breaks off.
    if (thrown instanceof TypeError) return { kind: "cut", codes: [] };
    throw thrown;
  });
  return Promise.race([orCut, sleep(TIMEOUT_MS + GRACE_MS).then(() => null)]);
}
