import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { PostgresPassageIndex } from "../../src/adapters/passage-index/postgres.ts";
import { openPostgresSessionStore } from "../../src/adapters/session-store/postgres.ts";
import { DIMENSIONS, document, passage } from "../contract/passages.ts";
import { call, scope } from "../support/calls.ts";
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
});
