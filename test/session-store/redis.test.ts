import { spawn } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openRedisSessionStore } from "../../src/adapters/session-store/redis.ts";
import { openReplicatedTurns } from "../../src/adapters/session-store/redis-replicas.ts";
import type { SessionStore } from "../../src/ports/session-store.ts";
import type { AnswerEvent } from "../../src/types.ts";
import { call, SCOPE, sleep, until } from "../support/calls.ts";
import { addPages, openRagline, warnings } from "../support/ragline.ts";
import { type RedisServer, redisMissing, redisOptions, redisTakesWrites, startRedis } from "../support/redis.ts";
import { relay } from "../support/relay.ts";
import { serveProcess } from "../support/served-process.ts";
import { append, begin, turn } from "../support/sessions.ts";

function loads(store: SessionStore): Promise<boolean> {
  return store.load(SCOPE, "s", 1, call()).then(
    () => true,
    () => false,
  );
}

describe.skipIf(redisMissing !== null)(`redis${redisMissing ? ` (${redisMissing})` : ""}`, () => {
  let server: RedisServer;
  let store: SessionStore;

  beforeAll(async () => {
    server = await startRedis();
    store = await openRedisSessionStore(redisOptions(server.url));
  });
  afterAll(async () => {
    await store.close?.();
    await server.close();
  });

  test("loading, beginning and finishing a turn cost one round trip each", async () => {
    await append(store, "trips", turn());
    await store.load(SCOPE, "trips", 10, call());
    const seen = await monitored(server, async () => {
      const one = turn();
      await begin(store, "trips", one);
      await store.finish(SCOPE, "trips", one, call());
      await store.load(SCOPE, "trips", 10, call());
    });
    expect(seen.map((line) => line.split('"')[1])).toEqual(["EVALSHA", "EVALSHA", "EVALSHA"]);
  });

  test("one key a session, with the prefix, tenant and collection; it expires after the TTL, which use renews", async () => {
    const brief = await openRedisSessionStore({ ...redisOptions(server.url), ttlMs: 1000, keyPrefix: "짧은:" });
    await append(brief, "ttl", turn());
    expect(server.cli("--raw", "KEYS", "짧은:*")).toBe("짧은:acme:handbook:ttl");
    for (let i = 0; i < 3; i++) {
      await sleep(500);
      expect((await brief.load(SCOPE, "ttl", 10, call())).turnCount).toBe(1);
    }
    await until("it expires", () => server.cli("--raw", "KEYS", "짧은:*") === "", 3000);
    expect((await brief.load(SCOPE, "ttl", 10, call())).version).toBe(0);
    await brief.close?.();
  });

  test("5,000 turns: loading gives the latest, quickly, and any old one can be read", async () => {
    server.cli("CONFIG", "SET", "appendfsync", "no");
    for (let i = 0; i < 5000; i += 100) {
      await Promise.all(Array.from({ length: 50 }, () => append(store, "long", turn())));
      await Promise.all(Array.from({ length: 50 }, () => append(store, "long", turn())));
    }
    const before = bytesOut(server);
    const session = await store.load(SCOPE, "long", 12, call());
    expect(session).toMatchObject({ turnCount: 5000, totalTokens: 60_000 });
    expect(session.turns.map(({ number }) => number)).toEqual(Array.from({ length: 12 }, (_, i) => 4989 + i));
    expect(bytesOut(server) - before).toBeLessThan(12 * 1000);
    expect(await store.turns(SCOPE, "long", [1, 2500], call())).toMatchObject([{ number: 1 }, { number: 2500 }]);
  });

  test("a wrong URL is refused as config_invalid, naming the field", async () => {
    for (const url of ["http://x", "redis://", "redis://a,b", "redis://a:port"]) {
      const opened = openRedisSessionStore({ ...redisOptions(url) });
      await expect(opened).rejects.toMatchObject({
        code: "config_invalid",
        message: expect.stringContaining("session.url"),
      });
    }
  });

  test("user and password of the URL are used", async () => {
    const guarded = await startRedis(["--requirepass", "비밀 p@ss"]);
    const url = `redis://default:${encodeURIComponent("비밀 p@ss")}@127.0.0.1:${guarded.port}`;
    const opened = await openRedisSessionStore(redisOptions(url));
    await append(opened, "s", turn());
    expect((await opened.load(SCOPE, "s", 5, call())).turnCount).toBe(1);
    const stranger = await openRedisSessionStore({ ...redisOptions(guarded.url), timeoutMs: 300 });
    await expect(stranger.load(SCOPE, "s", 5, call())).rejects.toMatchObject({ code: "dependency_failed" });
    await Promise.all([opened.close?.(), stranger.close?.()]);
    await guarded.close();
  });
});

describe.skipIf(redisMissing !== null)("Redis goes away", () => {
  const session = (url: string) => ({ session: { use: "redis", url } }) as const;

  test("killed: requests fail as dependency_failed in under the limit; it comes back by itself; a failed save is stored later", async () => {
    const server = await startRedis();
    const { ragline, close } = await openRagline({ ...session(server.url), cache: { use: "none" } });
    await addPages(ragline);
    const events: AnswerEvent[] = [];
    for await (const event of ragline.ask({ question: "연차 휴가는 며칠인가요?", sessionId: "s" })) {
      if (event.type === "source-list") await server.kill();
      events.push(event);
    }
    expect(events.at(-1)).toMatchObject({
      type: "answer-end",
      degraded: [{ step: "save", reason: "dependency_failed" }],
    });
    expect((await ragline.status()).saves).toMatchObject({ failed: 1, waiting: 1, recovered: 0, lost: 0 });

    const startedAt = performance.now();
    await expect(ragline.answer({ question: "병가는요?", sessionId: "s" })).rejects.toMatchObject({
      code: "dependency_failed",
      step: "session",
    });
    expect(performance.now() - startedAt).toBeLessThan(500);

    await server.restart();
    await until("the turn is stored", async () => (await ragline.status()).saves.recovered === 1, 10_000);
    expect(await ragline.readSession("s")).toMatchObject({
      turnCount: 1,
      turns: [{ status: "complete" }],
      pending: [],
    });
    expect((await ragline.answer({ question: "병가는요?", sessionId: "s" })).sessionId).toBe("s");
    await close();
    await server.close();
  });

  test("emptied during an answer: the turn is lost, which the log says with its request id, and nothing comes back", async () => {
    const server = await startRedis();
    const { log, lines } = warnings();
    const { ragline, close } = await openRagline({ ...session(server.url), cache: { use: "none" } }, log);
    await addPages(ragline);
    const question = "연차 휴가는 며칠인가요?";
    await ragline.answer({ question, sessionId: "s" });
    let last: AnswerEvent | undefined;
    for await (const event of ragline.ask({ question, sessionId: "s" }, { requestId: "lost" })) {
      if (event.type === "source-list") server.cli("FLUSHALL");
      last = event;
    }
    expect(last).toMatchObject({ type: "answer-end", degraded: [{ step: "save", reason: "not_found" }] });
    expect((await ragline.status()).saves).toMatchObject({ failed: 1, lost: 1, waiting: 0 });
    expect(lines).toMatchObject([
      { level: 40, requestId: "lost", step: "save", msg: expect.stringMatching(/^a turn is lost: .*evicted/) },
    ]);
    expect(JSON.stringify(lines)).not.toContain(question);
    expect(await ragline.readSession("s")).toBeNull();
    await close();
    await server.close();
  });

  test("takes no writes while a question comes: it is refused for that reason, and leaves nothing behind", async () => {
    const server = await startRedis();
    const { ragline, close } = await openRagline(session(server.url));
    await addPages(ragline);
    redisTakesWrites([server], false);
    await expect(ragline.answer({ question: "연차 휴가는 며칠인가요?", sessionId: "s" })).rejects.toMatchObject({
      code: "dependency_failed",
      step: "session",
      message: expect.stringMatching(/takes no writes/),
    });
    redisTakesWrites([server], true);
    await sleep(500);
    expect(await ragline.readSession("s")).toBeNull();
    await close();
    await server.close();
  });

  test("stopped (SIGSTOP): dependency_failed in under the limit, and well again after SIGCONT", async () => {
    const server = await startRedis();
    const { ragline, close } = await openRagline(session(server.url));
    await addPages(ragline);
    await ragline.answer({ question: "연차 휴가는 며칠인가요?", sessionId: "s" });
    server.signal("SIGSTOP");
    const startedAt = performance.now();
    await expect(ragline.readSession("s")).rejects.toMatchObject({ code: "dependency_failed", step: "session" });
    expect(performance.now() - startedAt).toBeLessThan(500);
    server.signal("SIGCONT");
    await until("it answers", () =>
      ragline.readSession("s").then(
        (found) => found?.turnCount === 1,
        () => false,
      ),
    );
    await close();
    await server.close();
  });

  test("its machine is gone without a word, or another answers at its address: found out while calls go on", {
    timeout: 60_000,
  }, async () => {
    const server = await startRedis();
    const between = await relay(server.port);
    const store = await openRedisSessionStore(redisOptions(`redis://127.0.0.1:${between.port}`));
    await until("it answers", () => loads(store));
    between.silence();
    expect(await loads(store)).toBe(false);
    await until("it answers again", () => loads(store), 15_000);
    await store.close?.();
    await between.close();
    await server.close();
  });

  test("stopped while a question comes: it is refused, and shown as failed once Redis goes on", async () => {
    const server = await startRedis();
    const { ragline, close } = await openRagline(session(server.url));
    await addPages(ragline);
    await ragline.answer({ question: "연차 휴가는 며칠인가요?", sessionId: "s" });
    server.signal("SIGSTOP");
    const asked = ragline.answer({ question: "병가는 며칠인가요?", sessionId: "s" });
    await expect(asked).rejects.toMatchObject({ code: "dependency_failed", step: "session" });
    server.signal("SIGCONT");
    await until("its end is recorded", async () => {
      const found = await ragline.readSession("s").catch(() => null);
      return found?.turnCount === 2;
    });
    expect(await ragline.readSession("s")).toMatchObject({
      pending: [],
      turns: [{ status: "complete" }, { question: "병가는 며칠인가요?", answer: "", status: "failed" }],
    });
    await close();
    await server.close();
  });

  test("a question asked as soon as Redis goes on comes after those that it refused", { timeout: 60_000 }, async () => {
    const server = await startRedis();
    const { ragline, close } = await openRagline({ ...session(server.url), cache: { use: "none" } });
    await addPages(ragline);
    for (const id of ["s0", "s1", "s2", "s3", "s4"]) {
      const ask = (question: string) => ragline.answer({ question, sessionId: id });
      await ask("연차 휴가는 며칠인가요?");
      server.signal("SIGSTOP");
      await expect(ask("병가는 며칠인가요?")).rejects.toMatchObject({ code: "dependency_failed", step: "session" });
      await expect(ask("출산휴가는 며칠인가요?")).rejects.toMatchObject({ step: "session" });
      server.signal("SIGCONT");
      const last = "재택근무는 며칠인가요?";
      await until("it is answered again", () =>
        ask(last).then(
          () => true,
          () => false,
        ),
      );
      const { turns = [], pending } = (await ragline.readSession(id)) ?? {};
      expect(pending).toEqual([]);
      expect(turns.map(({ question, status }) => [question, status])).toEqual([
        ["연차 휴가는 며칠인가요?", "complete"],
        ["병가는 며칠인가요?", "failed"],
        ["출산휴가는 며칠인가요?", "failed"],
        [last, "complete"],
      ]);
    }
    await close();
    await server.close();
  });

  test("absent at the start: what was given up meanwhile is not sent once it comes", async () => {
    const server = await startRedis();
    await server.kill();
    const store = await openRedisSessionStore({ ...redisOptions(server.url), timeoutMs: 100 });
    for (const id of ["a", "b", "c"]) {
      await expect(begin(store, id, turn())).rejects.toMatchObject({ code: "dependency_failed" });
    }
    await server.restart();
    const loaded = () => store.load(SCOPE, "d", 5, call()).then(Boolean, () => false);
    await until("it is connected", loaded, 10_000);
    expect(server.cli("--raw", "KEYS", "*")).toBe("");
    await store.close?.();
    await server.close();
  });

  test("absent at the start: confirmations given up meanwhile leave their places to others", async () => {
    const server = await startRedis();
    await server.kill();
    const limits = { timeoutMs: 100, replicasTimeoutMs: 100 };
    const turns = await openReplicatedTurns({ ...redisOptions(server.url), ...limits });
    const confirm = () => turns.confirm("key", ["request", "complete", 1, "{}", 1000]);
    const givenUp = await Promise.allSettled(Array.from({ length: 64 }, confirm));
    expect(new Set(givenUp.map(({ status }) => status))).toEqual(new Set(["rejected"]));
    await server.restart();
    const confirmed = () =>
      confirm().then(
        (reply) => reply === 0,
        () => false,
      );
    await until("it is connected", confirmed, 10_000);
    await turns.close();
    await server.close();
  });

  test("absent at the start: Ragline starts, is not ready, and is once Redis is there", async () => {
    const server = await startRedis();
    await server.kill();
    const { ragline, close } = await openRagline(session(server.url));
    await addPages(ragline);
    expect(await ragline.ready()).toMatchObject({ ready: false, missing: [expect.stringMatching(/^session: /)] });
    await server.restart();
    await until("it is ready", async () => (await ragline.ready()).ready, 10_000);
    await close();
    await server.close();
  });
});

describe.skipIf(redisMissing !== null)("instances share a Redis", () => {
  test("two processes, asked in turns, give the same conversation as one", { timeout: 60_000 }, async () => {
    const server = await startRedis();
    const local = await openRagline({ session: { use: "redis", url: server.url, keyPrefix: "two:" } });
    await addPages(local.ragline);
    const file = local.folder.file("ragline.db");
    const config = (keyPrefix: string) => ({
      session: { use: "redis", url: server.url, keyPrefix },
      search: { file },
      embed: { use: "hashing" },
      generate: { use: "extractive" },
      cache: { use: "none" },
    });
    const questions = [
      "연차 휴가 규정을 알려 주세요",
      "그건 며칠이에요?",
      "병가는요?",
      "How long must passwords be?",
      "And lost laptops?",
    ];
    const converse = async (urls: readonly string[], sessionId: string) => {
      const answers: unknown[] = [];
      for (const [i, question] of questions.entries()) {
        const response = await fetch(`${urls[i % urls.length]}/v1/ask`, {
          method: "POST",
          headers: { "content-type": "application/json", accept: "application/json" },
          body: JSON.stringify({ question, sessionId }),
        });
        const { text, query, ledger } = (await response.json()) as Record<string, unknown>;
        answers.push({ status: response.status, text, query, ledger });
      }
      return answers;
    };
    const [a, b, alone] = await Promise.all([
      serveProcess(config("two:")),
      serveProcess(config("two:")),
      serveProcess(config("one:")),
    ]);
    const together = await converse([a.url, b.url], "shared");
    expect(together).toEqual(await converse([alone.url], "shared"));
    expect(together).toHaveLength(questions.length);
    const page = await local.ragline.readTurns("shared");
    expect(page?.turns.map(({ question }) => question)).toEqual(questions);
    await Promise.all([a.kill(), b.kill(), alone.kill()]);
    await local.close();
    await server.close();
  });
});

function bytesOut(server: RedisServer): number {
  return Number(/total_net_output_bytes:(\d+)/.exec(server.cli("INFO", "stats"))?.[1]);
}

/** The commands that clients sent while `work` ran, as MONITOR prints them; those inside scripts and PINGs are left out. */
async function monitored(server: RedisServer, work: () => Promise<void>): Promise<string[]> {
  const child = spawn("redis-cli", ["-p", `${server.port}`, "MONITOR"], { stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  await until("MONITOR listens", () => text.startsWith("OK"));
  await work();
  server.cli("ECHO", "the end");
  await until("MONITOR has seen all", () => text.includes("the end"));
  child.kill();
  const lines = text
    .split("\n")
    .slice(1)
    .filter((line) => /^\d/.test(line) && !/\[\d+ lua\]|"PING"|"ping"/.test(line));
  return lines.slice(
    0,
    lines.findIndex((line) => /"(ECHO|COMMAND)"/i.test(line)),
  );
}
