import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PostgresDatabase } from "../../src/adapters/postgres/database.ts";
import { codeOf } from "../../src/adapters/postgres/failure.ts";
import { type PostgresOptions, poolConfig } from "../../src/adapters/postgres/options.ts";
import { call, until } from "../support/calls.ts";
import { folderForTest } from "../support/folder.ts";
import { type PostgresServer, postgresMissing, startPostgres } from "../support/postgres.ts";

const OPTIONS: PostgresOptions = {
  url: "postgres://127.0.0.1/ragline",
  tls: false,
  schema: "ragline",
  connectionsMax: 2,
  timeoutMs: 5000,
};

describe("what a connection is made with", () => {
  const config = (change: Partial<PostgresOptions>) => poolConfig("search", { ...OPTIONS, ...change }, {});

  test("host, port, database, user and password come from the URL, decoded", () => {
    const url = "postgres://rag%40line:p%3A%2F%20w@db.example.com:6432/docs%20ko";
    expect(config({ url })).toMatchObject({
      host: "db.example.com",
      port: 6432,
      database: "docs ko",
      user: "rag@line",
      password: "p:/ w",
    });
    expect(config({ url: "postgres://user:p,w@host/d,b" })).toMatchObject({ password: "p,w", database: "d,b" });
    expect(config({ url: "postgresql://[::1]/ragline" })).toMatchObject({ host: "::1", port: 5432 });
  });

  test("TLS is off, or on with the certificate checked, against the file's authority where there is one", () => {
    const folder = folderForTest();
    const caFile = folder.file("ca.pem");
    writeFileSync(caFile, "-----BEGIN CERTIFICATE-----");
    expect(config({}).ssl).toBe(false);
    expect(config({ tls: true }).ssl).toEqual({ rejectUnauthorized: true });
    const trusting = { rejectUnauthorized: true, ca: "-----BEGIN CERTIFICATE-----" };
    expect(config({ tls: true, caFile }).ssl).toEqual(trusting);
    expect(config({ caFile }).ssl).toEqual(trusting);
  });

  test("every connection has the schema and the settings", () => {
    const { options } = poolConfig("search", OPTIONS, { "hnsw.ef_search": 80 });
    expect(options).toBe(
      "-c search_path=ragline,public -c jit=off -c plan_cache_mode=force_custom_plan -c hnsw.ef_search=80",
    );
  });

  test.each([
    [{ url: "mysql://x/y" }, "search.url"],
    [{ url: "postgres://host" }, "search.url"],
    [{ url: "postgres://a:1,b:2/db" }, "search.url: takes one host"],
    [{ url: "postgres://user:p,w@a,b:1/db" }, "search.url: takes one host"],
    [{ url: "postgres://host/db?sslmode=require" }, "search.tls"],
    [{ tls: true, caFile: "/nowhere.pem" }, "search.caFile"],
  ])("%j is refused, naming %s", (change, field) => {
    expect(() => config(change)).toThrow(
      expect.objectContaining({ code: "config_invalid", message: expect.stringContaining(field) }),
    );
  });
});

test("a port that takes connections and never speaks: the call ends at its limit, and closing does not wait for it", async () => {
  const silent = createServer((socket) => void socket.on("error", () => undefined)).listen(0, "127.0.0.1");
  await once(silent, "listening");
  const { port } = silent.address() as AddressInfo;
  const database = await PostgresDatabase.open(
    { key: "search", settings: {}, ensure: async () => undefined },
    { ...OPTIONS, url: `postgres://ragline@127.0.0.1:${port}/ragline`, timeoutMs: 100 },
  );
  await expect(database.query(call(), "SELECT 1")).rejects.toMatchObject({ code: "dependency_timeout" });
  const startedAt = performance.now();
  await database.close();
  expect(performance.now() - startedAt).toBeLessThan(20_000);
  silent.close();
});

describe.skipIf(postgresMissing !== null)(`PostgreSQL${postgresMissing ? ` (${postgresMissing})` : ""}`, () => {
  let server: PostgresServer;
  let database: PostgresDatabase;
  const open = (change: Partial<PostgresOptions> = {}) =>
    PostgresDatabase.open(
      { key: "search", settings: {}, ensure: async () => undefined },
      { ...OPTIONS, url: server.url, ...change },
    );
  const running = async () => {
    const rows = await server.query(
      "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()",
    );
    return rows.length;
  };
  const SLEEP = "SELECT pg_sleep(60)";

  beforeAll(async () => {
    server = await startPostgres();
    database = await open();
  });
  afterAll(async () => {
    await database.close();
    await server.close();
  });

  test("a statement whose caller leaves ends in the server, though all connections are busy", async () => {
    const callers = [1, 2].map(() => new AbortController());
    const sleeping = callers.map(({ signal }) => database.query(call(signal), SLEEP));
    await until("both are running", async () => (await running()) === 2);
    for (const caller of callers) caller.abort();
    for (const one of sleeping) await expect(one).rejects.toMatchObject({ code: "cancelled" });
    await until("none is running", async () => (await running()) === 0);
    expect(await database.query(call(), "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });

  test("tables that are gone are made again, though every connection lies unused", async () => {
    const one = await PostgresDatabase.open(
      { key: "search", settings: {}, ensure: async (query) => void (await query("CREATE TABLE public.made (n int)")) },
      { ...OPTIONS, url: server.url, connectionsMax: 1 },
    );
    const read = () => one.query({ ...call(), deadline: performance.now() + 5000 }, "SELECT n FROM public.made");
    expect(await read()).toEqual([]);
    await server.query("DROP TABLE public.made");
    await expect(read()).rejects.toMatchObject({ code: "dependency_failed", message: /tables are gone/ });
    expect(await read()).toEqual([]);
    await one.close();
  });

  test("a connection that dies while it is used is never used again", async () => {
    const one = await open({ connectionsMax: 1 });
    const dying = one.transaction(
      call(),
      () => "BEGIN",
      async (query) => {
        const [row] = await query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
        await server.query(`SELECT pg_terminate_backend(${row?.pid})`);
        await sleep(200);
        return query("SELECT 1");
      },
    );
    await expect(dying).rejects.toMatchObject({ code: "dependency_failed" });
    for (let n = 0; n < 3; n++) expect(await one.query(call(), "SELECT 1 AS one")).toEqual([{ one: 1 }]);
    await one.close();
  });

  test("a statement ends in the server at its deadline, by the server's own clock", async () => {
    const begin = (limitMs: number) => `BEGIN; SET LOCAL statement_timeout = ${limitMs}`;
    const inTime = { ...call(), deadline: performance.now() + 300 };
    const late = await database.transaction(inTime, begin, (query) => query(SLEEP)).catch((error) => error);
    expect(late).toMatchObject({ code: "dependency_timeout" });
    expect(codeOf(late.cause)).toBe("57014");
    expect(await running()).toBe(0);
  });

  test("who waits for a connection leaves at the deadline, and holds none when it comes", async () => {
    const caller = new AbortController();
    const sleeping = [1, 2].map(() => database.query(call(caller.signal), SLEEP));
    await until("both are running", async () => (await running()) === 2);
    const waiting = database.query({ ...call(), deadline: performance.now() + 100 }, "SELECT 1");
    await expect(waiting).rejects.toMatchObject({ code: "dependency_timeout" });
    caller.abort();
    await Promise.allSettled(sleeping);
    const all = [1, 2, 3, 4].map((n) => database.query(call(), `SELECT ${n} AS n`));
    expect(await Promise.all(all)).toEqual([[{ n: 1 }], [{ n: 2 }], [{ n: 3 }], [{ n: 4 }]]);
  });

  test("what a transaction's work throws undoes it, and the connection is used again", async () => {
    await server.query("CREATE TABLE public.kept (n int); GRANT ALL ON public.kept TO ragline");
    const work = database.transaction(
      call(),
      () => "BEGIN",
      async (query) => {
        await query("INSERT INTO kept VALUES (1)");
        throw new Error("no");
      },
    );
    await expect(work).rejects.toMatchObject({ code: "dependency_failed" });
    expect(await database.query(call(), "SELECT n FROM kept")).toEqual([]);
    expect(await server.query("SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'")).toEqual([]);
  });

  test.each([
    ["an unknown database", (url: string) => url.replace(/ragline$/, "nowhere"), /database.*search\.url/],
    ["an unknown role", (url: string) => url.replace("ragline@", "stranger@"), /user or database of search\.url/],
  ])("%s: the message says where to look, and no retry helps", async (_, change, message) => {
    const wrong = await open({ url: change(server.url) });
    await expect(wrong.query(call(), "SELECT 1")).rejects.toMatchObject({
      code: "dependency_failed",
      retryable: false,
      message: expect.stringMatching(message),
    });
    await wrong.close();
  });

  test("a server without TLS is not spoken to where TLS is wanted", async () => {
    const wanted = await open({ tls: true });
    await expect(wanted.query(call(), "SELECT 1")).rejects.toMatchObject({
      code: "dependency_failed",
      message: expect.stringContaining("search.caFile"),
    });
    await wanted.close();
  });

  test("a server that is not there yet is found when it comes", async () => {
    await server.kill();
    const early = await open();
    await expect(early.query(call(), "SELECT 1")).rejects.toMatchObject({ code: "dependency_failed", retryable: true });
    await server.restart();
    await until("it answers", () =>
      early.query(call(), "SELECT 1").then(
        () => true,
        () => false,
      ),
    );
    await early.close();
  });
});
