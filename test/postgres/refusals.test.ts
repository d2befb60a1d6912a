import { readFileSync, writeFileSync } from "node:fs";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { dropPostgresSchema, PostgresPassageIndex } from "../../src/adapters/passage-index/postgres.ts";
import { openPostgresSessionStore } from "../../src/adapters/session-store/postgres.ts";
import { ragline } from "../cli/run.ts";
import { DIMENSIONS, document, passage } from "../contract/passages.ts";
import { call, scope } from "../support/calls.ts";
import { folderForTest } from "../support/folder.ts";
import { pgBouncer, pgBouncerForTest } from "../support/pooler.ts";
import {
  indexOptions,
  type PostgresServer,
  postgresMissing,
  sessionOptions,
  startPostgres,
} from "../support/postgres.ts";
import { begin, turn } from "../support/sessions.ts";

const SPACE = { model: "test", dimensions: DIMENSIONS };
const away = postgresMissing ? ` (${postgresMissing})` : "";

async function asSuperuser(connectionString: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(sql);
  await client.end();
}

describe.skipIf(postgresMissing !== null)(`a PostgreSQL that cannot be used says why${away}`, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.close());

  const replacing = async (url: string) => {
    const index = await PostgresPassageIndex.open(indexOptions(url), SPACE);
    onTestFinished(() => index.close());
    return index.replace(scope(), document("d"), [passage("휴가", 1)], call());
  };
  const database = async (name: string) => {
    await server.query(`CREATE DATABASE ${name} OWNER ragline`);
    return server.url.replace(/ragline$/, name);
  };

  test("its database has no pgvector, and the role may not make it", async () => {
    await expect(replacing(await database("without_vectors"))).rejects.toMatchObject({
      code: "dependency_failed",
      retryable: false,
      message: "The database of search.url has no pgvector: as a superuser run CREATE EXTENSION vector in it.",
    });
  });

  test("its pgvector is where Ragline does not look, or too old to find what a filter leaves", async () => {
    const url = await database("vectors_apart");
    const admin = server.superuserUrl.replace(/ragline$/, "vectors_apart");
    await asSuperuser(admin, "CREATE SCHEMA extensions; CREATE EXTENSION vector SCHEMA extensions");
    const message =
      "The database of search.url has pgvector in the schema extensions: run ALTER EXTENSION vector SET SCHEMA public in it.";
    await expect(replacing(url)).rejects.toMatchObject({ code: "dependency_failed", retryable: false, message });
    await asSuperuser(admin, "ALTER EXTENSION vector SET SCHEMA public");
    await replacing(url);
    await asSuperuser(admin, "UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'");
    await expect(replacing(url)).rejects.toMatchObject({
      code: "dependency_failed",
      retryable: false,
      message:
        "The database of search.url has pgvector 0.7.4: install 0.8 or later, and run ALTER EXTENSION vector UPDATE in it.",
    });
  });

  test
    .skipIf(pgBouncer.missing !== null)
    .each([
      { settings: [] },
      { settings: ["ignore_startup_parameters = options"] },
      { settings: ["ignore_startup_parameters = options", "pool_mode = transaction"] },
    ])("a pooler stands before it that does not hand on a connection's settings: $settings", async ({ settings }) => {
    const url = await pgBouncerForTest(server.port, settings);
    const told = (key: string) => ({
      code: "dependency_failed",
      retryable: false,
      message: `What answers at ${key}.url, maybe a pooler (PgBouncer), does not take the settings of a connection: name PostgreSQL itself, of which ${key}.connectionsMax bounds the connections.`,
    });
    await expect(replacing(url)).rejects.toMatchObject(told("search"));
    const store = await openPostgresSessionStore(sessionOptions(url));
    onTestFinished(() => store.close?.());
    await expect(begin(store, "s", turn())).rejects.toMatchObject(told("session"));
  });

  test("it is a standby, or read-only: index and conversations", async () => {
    const url = await database("read_only");
    await server.query("ALTER DATABASE read_only SET default_transaction_read_only = on");
    const store = await openPostgresSessionStore(sessionOptions(url));
    onTestFinished(() => store.close?.());
    const told = (key: string) => ({
      code: "dependency_failed",
      message: `PostgreSQL takes no writes: ${key}.url names a standby, or what is read-only.`,
    });
    await expect(begin(store, "s", turn())).rejects.toMatchObject(told("session"));
    await expect(replacing(url)).rejects.toMatchObject(told("search"));
  });

  test("it takes no writes any more: conversations can be read, and no question can be begun, which is told without one", async () => {
    const url = await database("failed_over");
    const store = await openPostgresSessionStore(sessionOptions(url));
    onTestFinished(() => store.close?.());
    await begin(store, "s", turn());
    await store.probe?.(scope(), call());
    await server.query("ALTER DATABASE failed_over SET default_transaction_read_only = on");
    await server.query("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'failed_over'");
    expect(await store.load(scope(), "s", 1, call())).toMatchObject({ pending: [{}] });
    await expect(store.probe?.(scope(), call())).rejects.toMatchObject({ message: expect.stringMatching(/no writes/) });
  });

  test("what conversations need is gone: it is said, and made again", async () => {
    const url = await database("emptied");
    const options = sessionOptions(url);
    const store = await openPostgresSessionStore(options);
    onTestFinished(() => store.close?.());
    await begin(store, "s", turn());
    await dropPostgresSchema({ ...indexOptions(url), schema: options.schema });
    const gone = { code: "dependency_failed", message: "Ragline's tables are gone from session.url." };
    await expect(begin(store, "s", turn())).rejects.toMatchObject(gone);
    await begin(store, "s", turn());
  });

  test("user and password are those of the URL, and a refusal says so", async () => {
    await database("guarded");
    await server.query("CREATE ROLE guard LOGIN PASSWORD 'p@ss: 100%'");
    await server.query("ALTER DATABASE guarded OWNER TO guard");
    const admin = server.superuserUrl.replace(/ragline$/, "guarded");
    await asSuperuser(admin, "CREATE EXTENSION vector");
    const [found] = await server.query("SHOW hba_file");
    const file = String(found?.hba_file);
    writeFileSync(file, `host all guard 127.0.0.1/32 scram-sha-256\n${readFileSync(file, "utf8")}`);
    await server.query("SELECT pg_reload_conf()");
    const as = (login: string) => `postgres://${login}@127.0.0.1:${server.port}/guarded`;
    const right = encodeURIComponent("p@ss: 100%");
    await replacing(as(`guard:${right}`));
    const store = await openPostgresSessionStore(sessionOptions(as(`guard:${right}`)));
    onTestFinished(() => store.close?.());
    await begin(store, "s", turn());
    const refused = { code: "dependency_failed", message: "PostgreSQL refuses user or password of search.url." };
    await expect(replacing(as("guard:wrong"))).rejects.toMatchObject(refused);
    await expect(replacing(as("guard"))).rejects.toMatchObject(refused);
    await expect(replacing(as("guard:100%"))).rejects.toMatchObject({
      code: "config_invalid",
      message: "search.url: write % as %25 in user, password and database",
    });
  });
});

describe.skipIf(postgresMissing !== null)(`a PostgreSQL whose pg_hba.conf refuses says so${away}`, () => {
  test("without TLS, or whatever it is: no word of a password, and the terminal is told the server's reason", async () => {
    const server = await startPostgres();
    onTestFinished(() => server.close());
    const folder = folderForTest();
    writeFileSync(folder.file("휴가.md"), "연차는 15일이다.");
    await ragline(folder.path, "index", "휴가.md");
    const asking = async (login: string) => {
      const session = { use: "postgres", url: server.url.replace("ragline@", `${login}@`) };
      writeFileSync(folder.file("ragline.yaml"), JSON.stringify({ session }));
      return (await ragline(folder.path, "ask", "연차는 며칠인가요?")).stderr;
    };
    const [found] = await server.query("SHOW hba_file");
    const file = String(found?.hba_file);
    writeFileSync(file, `host all ragline 127.0.0.1/32 reject\n${readFileSync(file, "utf8")}`);
    await server.query("SELECT pg_reload_conf()");
    const refused = await asking("ragline");
    expect(refused).toContain(
      "PostgreSQL refuses this host, user or database without TLS: set session.tls, or see its pg_hba.conf.",
    );
    expect(refused).toMatch(
      /\(pg_hba\.conf rejects connection for host "127\.0\.0\.1", user "ragline".*no encryption\)/,
    );
    expect(await asking("stranger")).toContain(
      "PostgreSQL refuses this host, or the user or database of session.url: see its pg_hba.conf.",
    );
  });
});

describe.skipIf(postgresMissing !== null)(`an embedder apart that is reached later${away}`, () => {
  test("texts are found before, and vectors are stored and found afterwards", async () => {
    const server = await startPostgres();
    onTestFinished(() => server.close());
    const first = await PostgresPassageIndex.open(indexOptions(server.url), SPACE);
    onTestFinished(() => first.close());
    await first.replace(scope(), document("d"), [passage("휴가", 1)], call());
    for (const schema of ["ragline", "another"]) {
      const late = { model: "127.0.0.1:9, not reached", dimensions: 0 };
      const index = await PostgresPassageIndex.open({ ...indexOptions(server.url), schema }, late);
      onTestFinished(() => index.close());
      const byText = async () => (await index.search(scope(), { text: "휴가", limit: 5 }, call())).byText.length;
      expect(await byText()).toBe(schema === "ragline" ? 1 : 0);
      Object.assign(late, SPACE);
      await index.replace(scope(), document("e"), [passage("휴가", 1)], call());
      const vector = passage("휴가", 1).vector as Float32Array;
      const { byVector } = await index.search(scope(), { vector, limit: 5 }, call());
      expect(byVector.map(({ passage: { documentId } }) => documentId)).toContain("e");
    }
  });
});
