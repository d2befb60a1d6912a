import { mkdir, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Session } from "../../src/types.ts";
import { until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { postJson } from "../support/http.ts";
import { redisMissing, startRedis } from "../support/redis.ts";
import { chunk, streaming, stubModel, wholeStream } from "../support/stub-model.ts";
import type { StubServer } from "../support/stub-server.ts";
import { printed, ragline, start } from "./run.ts";

const LEASE_MS = 1500;
const endless = streaming(
  Array.from({ length: 2000 }, (_, i) => chunk.text(` 낱말${i}`)),
  { gapMs: 3 },
);

let upstream: StubServer;
let folder: ReturnType<typeof temporaryFolder>;
beforeAll(async () => {
  upstream = await stubModel();
  folder = temporaryFolder();
  await mkdir(folder.file("docs"));
  await writeFile(
    folder.file("docs/휴가.md"),
    "# 휴가\n\n연차휴가는 1년에 15일입니다.\n\n## 병가\n\n병가는 60일입니다.\n",
  );
  await ragline(folder.path, "index", "docs");
});
afterAll(async () => {
  folder.remove();
  await upstream.close();
});

async function serve(session: object) {
  const config = {
    generate: { use: "openai", baseUrl: upstream.url, model: "m" },
    session,
    rewrite: { use: "rules" },
    cache: { use: "none" },
  };
  await writeFile(folder.file("ragline.yaml"), JSON.stringify({ ...config, server: { port: 0 } }));
  const child = start(folder.path, ["serve"]);
  const url = /listening on (\S+);/.exec(await printed(child, /listening on (\S+);/))?.[1] ?? "";
  return {
    url,
    async read(id: string): Promise<Session> {
      return (await fetch(`${url}/v1/sessions/${id}`)).json() as Promise<Session>;
    },
    async kill() {
      const gone = new Promise((resolve) => child.once("close", resolve));
      child.kill("SIGKILL");
      await gone;
    },
  };
}

/** Resolves once `deltas` pieces of the answer's text have come; the connection stays. */
async function begunAnswer(url: string, body: object, deltas: number): Promise<void> {
  const response = await postJson(`${url}/v1/ask`, body);
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (text.split("event: text-delta").length <= deltas) {
    const { done, value } = (await reader?.read()) ?? { done: true };
    if (done) throw new Error(`the answer ended: ${text}`);
    text += value;
  }
  reader?.closed.catch(() => undefined);
}

/** After so many pieces of an answer's text, one kill each. */
async function killedInMidAnswer(session: object, moments: readonly number[]): Promise<void> {
  const questions: string[] = [];
  for (const [round, deltas] of moments.entries()) {
    const lost = `연차휴가 규정 ${round}번은 무엇인가요?`;
    const next = `병가 ${round}번은 며칠인가요?`;
    questions.push(lost, next);
    const first = await serve(session);
    upstream.answer(endless);
    // The reader's connection breaks with the process.
    await begunAnswer(first.url, { question: lost, sessionId: "s" }, deltas);
    const refreshed = await first.read("s");
    expect(refreshed.pending).toMatchObject([{ question: lost, status: "pending" }]);
    await first.kill();

    const second = await serve(session);
    await until(
      "the question shows as interrupted",
      async () => (await second.read("s")).pending[0]?.status === "interrupted",
    );
    expect((await second.read("s")).pending).toMatchObject([{ question: lost }]);
    upstream.answer(streaming(wholeStream(["60일입니다 [1]."])));
    const asked = await postJson(
      `${second.url}/v1/ask`,
      { question: next, sessionId: "s" },
      { accept: "application/json" },
    );
    expect(await asked.json()).toMatchObject({ text: "60일입니다 [1].", degraded: [] });
    const messages = upstream.requests.at(-1)?.body.messages as { role: string; content: string }[];
    expect(messages.at(-3)).toEqual({ role: "user", content: lost });
    const { turns } = (await (await fetch(`${second.url}/v1/sessions/s/turns`)).json()) as Session;
    expect(turns.map(({ question }) => question)).toEqual(questions);
    expect(turns.slice(-2)).toMatchObject([{ status: "interrupted" }, { status: "complete" }]);
    await second.kill();
  }
}

const timeout = 120_000;
test("kill -9 in mid-answer: the question is kept as interrupted, and the next answer sees it", { timeout }, () =>
  killedInMidAnswer({ leaseMs: LEASE_MS }, [1, 30]),
);

test.skipIf(redisMissing !== null)("the same with Redis", { timeout }, async () => {
  const server = await startRedis();
  await killedInMidAnswer({ use: "redis", url: server.url, leaseMs: LEASE_MS }, [2]);
  await server.close();
});
