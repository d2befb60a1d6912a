import { readFileSync, renameSync } from "node:fs";
import { resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sleep, until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { type Event, eventsOf, postJson, textOf } from "../support/http.ts";
import { ServerProcess, Upstream } from "../support/processes.ts";
import { PAGES } from "../support/ragline.ts";
import { type RedisServer, redisMissing, startRedis } from "../support/redis.ts";
import { DIMENSIONS } from "../support/stub-embeddings.ts";

const TIMEOUT_MS = 8000;
/** Of the deadline, what a busy machine may add until the client has read the last byte. */
const GRACE_MS = 2000;

interface Row {
  readonly step: string;
  readonly what: string;
  readonly ends: string;
  readonly code: string;
  readonly fallback: string;
}

const PAGE = readFileSync(resolve(import.meta.dirname, "../../docs/failures.md"), "utf8");
const ROWS: readonly Row[] = [...PAGE.matchAll(/^\| (\w+) \| ([^|]+) \| ([\w -]+) \| `(\w+)` \| ([^|]*)\|$/gm)].map(
  ([, step = "", what = "", ends = "", code = "", fallback = ""]) => ({
    step,
    what,
    ends,
    code,
    fallback: fallback.trim(),
  }),
);

interface Answer {
  readonly status: number;
  readonly error?: { readonly code: string; readonly step?: string };
  readonly events: readonly Event[];
  readonly ms: number;
}

let folder: ReturnType<typeof temporaryFolder>;
let redis: RedisServer;
let embedder: Upstream;
let reranker: Upstream;
let model: Upstream;
let main: ServerProcess;
/** The same with breakers that open after four calls and stay open. */
let guarded: ServerProcess;

const CALLS_MIN = { never: 100_000, soon: 4 };
function config(callsMin: number, use: { readonly db: string }) {
  const breaker = { callsMin, openMs: 600_000 };
  return {
    embed: {
      use: "openai",
      baseUrl: `${embedder.url}/v1`,
      model: "e5",
      dimensions: DIMENSIONS,
      timeoutMs: 1000,
      breaker,
    },
    rerank: { use: "tei", baseUrl: reranker.url, timeoutMs: 1500, breaker },
    generate: {
      use: "openai",
      baseUrl: `${model.url}/v1`,
      model: "m",
      firstTokenTimeoutMs: 2500,
      silenceTimeoutMs: 1000,
      breaker,
    },
    rewrite: { use: "model", timeoutMs: 1000 },
    search: { use: "sqlite", file: `${use.db}.db` },
    cache: { use: "sqlite", file: `${use.db}-answers.db` },
    session: { use: "redis", url: redis.url, timeoutMs: 1000 },
    save: { timeoutMs: 1000 },
    server: { port: 0, timeoutMs: TIMEOUT_MS },
  };
}

interface Asking {
  readonly url?: string;
  readonly sessionId?: string;
  readonly timeoutMs?: number;
  /** Runs once the first text is there. */
  readonly midway?: () => Promise<void> | void;
}

let asked = 0;
const another = () => `연차 휴가는 며칠인가요 ${asked++}번?`;

const askAnother = (asking?: Asking) => ask(another(), asking);

async function ask(question: string, { url = main.url, midway, ...request }: Asking = {}): Promise<Answer> {
  const startedAt = performance.now();
  const response = await postJson(`${url}/v1/ask`, { question, ...request });
  if (response.status !== 200) {
    const { error } = (await response.json()) as { error: { code: string; step?: string } };
    return { status: response.status, error, events: [], ms: performance.now() - startedAt };
  }
  let text = "";
  let isMidway = false;
  const decoder = new TextDecoder();
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    if (isMidway || !text.includes("event: text-delta")) continue;
    isMidway = true;
    await midway?.();
  }
  const ms = performance.now() - startedAt;
  return { status: 200, events: await eventsOf(new Response(text, { headers: response.headers })), ms };
}

const isWell = (answer: Answer) => {
  const last = answer.events.at(-1);
  return last?.type === "answer-end" && last.degraded.length === 0;
};

async function heal(): Promise<void> {
  redis.signal("SIGCONT");
  await Promise.all([embedder, reranker, model].map((upstream) => upstream.heal()));
  await until("all is well again", async () => isWell(await ask(another())), 30_000);
}

/** A conversation with one turn behind it. */
async function conversation(): Promise<string> {
  const { events } = await ask("육아휴직은 자녀가 몇 살일 때까지 쓸 수 있어요?");
  const [start] = events;
  if (start?.type !== "answer-start" || !start.sessionId) throw new Error("no conversation");
  return start.sessionId;
}

/** Puts a file out of the server's sight. */
function away(name: string): () => void {
  renameSync(folder.file(name), folder.file(`${name}.away`));
  return () => renameSync(folder.file(`${name}.away`), folder.file(name));
}

type Ask = (asking?: Asking) => Promise<Answer>;
const plainly: (cause: () => Promise<void> | void) => (ask: Ask) => Promise<Answer> = (cause) => async (ask) => {
  await cause();
  return ask();
};
const wrong = (upstream: () => Upstream, mode: string) => plainly(() => upstream().mode(mode));
const killed = (upstream: () => Upstream) => plainly(() => upstream().kill());
const stopped = (upstream: () => Upstream) => plainly(() => upstream().stop());

async function withoutFile(name: string, ask: Ask): Promise<Answer> {
  const back = away(name);
  // The server looks at the file every 100 ms.
  await sleep(300);
  try {
    return await ask();
  } finally {
    back();
  }
}

async function openBreaker(upstream: Upstream, mode: string, step: string): Promise<Answer> {
  await upstream.mode(mode);
  await until(
    "the breaker is open",
    async () => {
      const last = (await askAnother({ url: guarded.url })).events.at(-1);
      if (last?.type === "answer-error") return last.error.step === step && last.error.code === "overloaded";
      const degraded = last?.type === "answer-end" ? last.degraded : [];
      return degraded.some((one) => one.step === step && one.reason === "overloaded");
    },
    30_000,
  );
  await upstream.mode("well");
  // Well again, and yet not called.
  const { calls } = await upstream.work();
  const answer = await askAnother({ url: guarded.url });
  expect((await upstream.work()).calls).toBe(calls);
  return answer;
}

/** What brings each row about; gives the answer that the reader had. */
const CAUSES: Readonly<Record<string, (ask: Ask) => Promise<Answer>>> = {
  "session: Redis is killed before the question": async (ask) => {
    await redis.kill();
    const answer = await ask();
    await redis.restart();
    return answer;
  },
  "session: Redis is stopped before the question": plainly(() => redis.signal("SIGSTOP")),
  "rewrite: the model refuses with 503": async () => {
    const sessionId = await conversation();
    await model.mode("refuse 503");
    // Whoever rewrites also answers: it is well again once the rewriting has failed.
    const asking = ask("그럼 그건 며칠인가요?", { sessionId });
    const { calls } = await model.work();
    await until("it was asked twice", async () => (await model.work()).calls >= calls + 2).catch(() => undefined);
    await model.mode("well");
    return asking;
  },
  "rewrite: the model is stopped": async () => {
    const sessionId = await conversation();
    model.stop();
    const asking = ask("그럼 그건 며칠인가요?", { sessionId });
    await sleep(1200);
    await model.heal();
    return asking;
  },
  "cache: its file is gone": (ask) => withoutFile("main-answers.db", ask),
  "embed: the embedder is killed": killed(() => embedder),
  "embed: the embedder is stopped": stopped(() => embedder),
  "embed: the embedder is slower than its limit": wrong(() => embedder, "slow 4000"),
  "search: the index's file is gone": (ask) => withoutFile("main.db", ask),
  "rerank: the reranker is killed": killed(() => reranker),
  "rerank: the reranker is stopped": stopped(() => reranker),
  "rerank: the reranker is slower than its limit": wrong(() => reranker, "slow 4000"),
  "rerank: scores are missing": wrong(() => reranker, "few"),
  "rerank: a passage is scored twice": wrong(() => reranker, "duplicates"),
  "rerank: a score is NaN": wrong(() => reranker, "NaN"),
  "rerank: a score is for no passage": wrong(() => reranker, "out of range"),
  "rerank: too little time is left for it": async (ask) => {
    await reranker.mode("slow 1000");
    // One that has seen no quicker times.
    const hurried = await ServerProcess.start(folder.path, "hurried", config(CALLS_MIN.never, { db: "main" }));
    const { url } = hurried;
    try {
      const usual = await Promise.all(Array.from({ length: 30 }, () => askAnother({ url })));
      expect(usual.filter(isWell).length).toBeGreaterThan(20);
      await sleep(1100);
      // One a second is begun to see whether it still takes so long.
      const begun = askAnother({ url, timeoutMs: 1000 });
      await sleep(200);
      const refused = await ask({ url, timeoutMs: 1000 });
      await begun;
      return refused;
    } finally {
      await hurried.kill();
    }
  },
  "rerank: its circuit breaker is open": () => openBreaker(reranker, "refuse 500", "rerank"),
  "generate: the model is killed": killed(() => model),
  "generate: the model is stopped": stopped(() => model),
  "generate: the model refuses with 503": wrong(() => model, "refuse 503"),
  "generate: the model refuses with 429": wrong(() => model, "refuse 429"),
  "generate: the model breaks off before the first token": wrong(() => model, "cut before"),
  "generate: the model ends without a word": wrong(() => model, "silent"),
  "generate: the model breaks off after the first token": async (ask) => {
    await model.mode("cut after");
    const answer = await ask();
    expect(textOf(answer.events)).toMatch(/^연차는 /);
    return answer;
  },
  "generate: the model is stopped after the first token": async (ask) => {
    await model.mode("long");
    const answer = await ask({ midway: () => model.stop() });
    expect(textOf(answer.events)).toMatch(/낱말0/);
    return answer;
  },
  "generate: its circuit breaker is open": () => openBreaker(model, "refuse 503", "generate"),
  "save: Redis is killed after the first token": async (ask) => {
    await model.mode("long");
    const answer = await ask({ midway: () => redis.kill() });
    await redis.restart();
    return answer;
  },
  "save: Redis is stopped after the first token": async (ask) => {
    await model.mode("long");
    return ask({ midway: () => redis.signal("SIGSTOP") });
  },
};

describe.skipIf(redisMissing)("the failure table", () => {
  beforeAll(async () => {
    folder = temporaryFolder();
    redis = await startRedis();
    [embedder, reranker, model] = await Promise.all([Upstream.start(), Upstream.start(), Upstream.start()]);
    [main, guarded] = await Promise.all([
      ServerProcess.start(folder.path, "main", config(CALLS_MIN.never, { db: "main" })),
      ServerProcess.start(folder.path, "guarded", config(CALLS_MIN.soon, { db: "guarded" })),
    ]);
    for (const { url } of [main, guarded]) {
      for (const page of PAGES) expect((await postJson(`${url}/v1/documents`, page)).status).toBeLessThan(300);
    }
  });
  afterAll(async () => {
    await Promise.all([embedder?.kill(), reranker?.kill(), model?.kill(), main?.kill(), guarded?.kill()]);
    await redis?.close();
    folder?.remove();
  });

  test("every row has a test, and every test a row", () => {
    expect(ROWS.map(({ step, what }) => `${step}: ${what}`)).toEqual(Object.keys(CAUSES));
  });

  test("a cache whose file another process keeps locked holds up no answer, and keeps answers once it is free", async () => {
    await heal();
    const question = another();
    const lock = new DatabaseSync(folder.file("main-answers.db"));
    lock.exec("BEGIN IMMEDIATE");
    const answer = await ask(question);
    lock.exec("ROLLBACK");
    lock.close();
    expect(isWell(answer)).toBe(true);
    expect(answer.ms).toBeLessThan(TIMEOUT_MS);
    await until("an answer is kept again", async () => {
      const last = (await ask(question)).events.at(-1);
      return last?.type === "answer-end" && last.cached;
    });
  });

  test.each(ROWS)("$step: $what", async (row) => {
    const cause = CAUSES[`${row.step}: ${row.what}`];
    if (!cause) throw new Error("no such row");
    await heal();
    const question = another();
    const answer = await cause((asking) => ask(question, asking));
    try {
      expectRow(row, answer);
    } finally {
      await heal();
    }
    const isDegraded = row.ends === "answer-end" && row.step !== "save" && row.step !== "rewrite";
    if (!isDegraded || row.what.includes("breaker")) return;
    // What was degraded was not kept: asked again it is answered anew, as well as it can be.
    const again = await ask(question);
    expect(again.events.at(-1)).toMatchObject({ type: "answer-end", cached: false, degraded: [] });
  });
});

function expectRow({ step, ends, code, fallback }: Row, { status, error, events, ms }: Answer): void {
  expect(ms).toBeLessThan(TIMEOUT_MS + GRACE_MS);
  if (ends === "error response") {
    expect(status).toBeGreaterThanOrEqual(500);
    expect(error).toMatchObject({ code, step });
    return;
  }
  const last = events.at(-1);
  if (ends === "answer-error") expect(last).toMatchObject({ type: ends, error: { code, step } });
  else expect(last).toMatchObject({ type: ends, degraded: [{ step, reason: code, fallback }] });
}
