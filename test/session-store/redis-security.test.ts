import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { openRedisSessionStore } from "../../src/adapters/session-store/redis.ts";
import { call, SCOPE } from "../support/calls.ts";
import { certificates } from "../support/certificates.ts";
import { temporaryFolder } from "../support/folder.ts";
import { openRagline } from "../support/ragline.ts";
import { freePort, type RedisServer, redisMissing, redisOptions, startRedis } from "../support/redis.ts";
import { append, turn } from "../support/sessions.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

type Options = Parameters<typeof openRedisSessionStore>[0];

/** Whether a turn can be stored and read. */
async function works(options: Options): Promise<void> {
  const store = await openRedisSessionStore(options);
  onTestFinished(() => store.close?.());
  await append(store, "s", turn());
  expect((await store.load(SCOPE, "s", 5, call())).turnCount).toBeGreaterThan(0);
}

/** What the refusal says, once the first connection has been tried. */
async function refusal(options: Options) {
  const store = await openRedisSessionStore({ ...options, timeoutMs: 600 });
  onTestFinished(() => store.close?.());
  return store.load(SCOPE, "s", 5, call()).then(
    () => null,
    (error: unknown) => error,
  );
}

describe.skipIf(redisMissing !== null)("TLS", () => {
  let server: RedisServer;
  let url = "";
  let files: ReturnType<typeof certificates>;
  beforeAll(async () => {
    files = certificates(folder);
    const port = await freePort();
    const keys = ["--tls-cert-file", files.certificate, "--tls-key-file", files.key, "--tls-ca-cert-file", files.ca];
    server = await startRedis(["--tls-port", `${port}`, ...keys, "--tls-auth-clients", "no", "--requirepass", "비밀"]);
    url = `rediss://default:${encodeURIComponent("비밀")}@127.0.0.1:${port}`;
  });
  afterAll(() => server.close());

  test("rediss: with the authority's file and a password", () => works({ ...redisOptions(url), caFile: files.ca }));

  test("an authority that nobody knows is refused, and the error says that it is the certificate", async () => {
    expect(await refusal(redisOptions(url))).toMatchObject({
      code: "dependency_failed",
      message: expect.stringMatching(/session\.caFile/),
    });
  });

  test("redis: to a TLS port, and rediss: to a plain one: neither hangs, and the error says what to look at", async () => {
    const plain = await startRedis();
    onTestFinished(() => plain.close());
    for (const wrong of [url.replace("rediss:", "redis:"), `rediss://127.0.0.1:${plain.port}`]) {
      expect(await refusal(redisOptions(wrong))).toMatchObject({
        code: "dependency_failed",
        message: expect.stringMatching(/session\.url \(rediss: speaks TLS, redis: does not\)/),
      });
    }
  });

  test("a file that cannot be read is a fault of the configuration", async () => {
    const opened = openRedisSessionStore({ ...redisOptions(url), caFile: folder.file("absent.pem") });
    await expect(opened).rejects.toMatchObject({ code: "config_invalid", message: expect.stringMatching(/caFile/) });
    const plain = openRedisSessionStore({ ...redisOptions(url.replace("rediss:", "redis:")), caFile: files.ca });
    await expect(plain).rejects.toMatchObject({ code: "config_invalid", message: expect.stringMatching(/rediss:/) });
  });
});

describe.skipIf(redisMissing !== null)("passwords", () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis(["--requirepass", "right"]);
  });
  afterAll(() => server.close());

  test("a wrong one, and none: the error says so, and tells no password", async () => {
    for (const login of ["default:wrong-one@", ""]) {
      const error = await refusal(redisOptions(`redis://${login}127.0.0.1:${server.port}`));
      expect(error).toMatchObject({
        code: "dependency_failed",
        message: expect.stringMatching(/password.*session\.url/),
      });
      expect(String(error)).not.toContain("wrong-one");
    }
  });

  test("readiness says it too", async () => {
    const url = `redis://default:wrong-one@127.0.0.1:${server.port}`;
    const { ragline, close } = await openRagline({ session: { use: "redis", url } });
    onTestFinished(close);
    const missing = (await ragline.ready()).missing.find((one) => one.startsWith("session"));
    expect(missing).toMatch(/password/);
  });

  test("sentinels with a password of their own", { timeout: 30_000 }, async () => {
    const sentinel = await startRedis(["--requirepass", "guard"], "redis-sentinel");
    onTestFinished(() => sentinel.close());
    const cli = (...command: string[]) => sentinel.cli("--no-auth-warning", "-a", "guard", ...command);
    cli("SENTINEL", "MONITOR", "mymaster", "127.0.0.1", `${server.port}`, "1");
    cli("SENTINEL", "SET", "mymaster", "auth-pass", "right");
    const options = {
      ...redisOptions(`redis://default:right@127.0.0.1:${sentinel.port}`),
      topology: "sentinel" as const,
    };
    await works({ ...options, sentinelPassword: "guard", timeoutMs: 10_000 });
    expect(await refusal({ ...options, sentinelPassword: "wrong" })).toMatchObject({ code: "dependency_failed" });
  });
});
