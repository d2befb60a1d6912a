import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { composeStage } from "../../src/compose/stage.ts";
import { parseConfig } from "../../src/config.ts";
import type { ConfigInput } from "../../src/index.ts";
import { call, scope, until } from "../support/calls.ts";
import { postgresMissing, startPostgres } from "../support/postgres.ts";
import { addPages, openRagline, serveRagline } from "../support/ragline.ts";

test.skipIf(postgresMissing !== null)(
  "started while PostgreSQL is away: not ready until it is there, and then as ever",
  {
    timeout: 90_000,
  },
  async () => {
    const server = await startPostgres();
    await server.kill();
    const opened = await openRagline({ search: { use: "postgres", url: server.url } } as ConfigInput);
    const missing = async () => (await opened.ragline.ready()).missing.join();
    expect(await missing()).toMatch(/^search: PostgreSQL/);
    await server.restart();
    await until("only documents are missing", async () => /no documents/.test(await missing()), 30_000);
    await addPages(opened.ragline);
    expect(await missing()).toBe("");
    expect((await opened.ragline.answer({ question: "연차 휴가는 며칠인가요?" })).text).toContain("15");
    await opened.close();
    await server.close();
  },
);

test.skipIf(postgresMissing !== null)(
  "a search stage over it serves before it is told of any vector space",
  async () => {
    const server = await startPostgres();
    onTestFinished(() => server.close());
    const stage = await composeStage(parseConfig({ search: { use: "postgres", url: server.url } }, {}), "search");
    onTestFinished(() => stage.close());
    if (stage.stage !== "search") throw new Error(stage.stage);
    const index = await stage.port(null);
    expect(await index.version(scope(), call())).toMatch(/:0$/);
    const found = await index.search(scope(), { text: "휴가", limit: 1 }, call());
    expect(found).toEqual({ byText: [], byVector: [] });
  },
);

test.skipIf(postgresMissing !== null)(
  "serve logs why it is not ready once a cause, with what failed, and that it is ready again",
  async () => {
    const server = await startPostgres();
    onTestFinished(() => server.close());
    const told: Record<string, unknown>[] = [];
    const log = pino({ level: "info" }, { write: (line: string) => void told.push(JSON.parse(line)) });
    const served = await serveRagline({ session: { use: "postgres", url: server.url } } as ConfigInput, log);
    onTestFinished(served.close);
    const readyz = async () => (await fetch(`${served.url}/readyz`)).text();
    const lines = () => told.map(({ msg }) => msg).filter((msg) => /ready/.test(String(msg)));
    await readyz();
    await readyz();
    const first = "not ready: search: no documents are indexed; run `ragline index <path>`";
    expect(lines()).toEqual([first]);
    await addPages(served.ragline);
    await until("it is ready", async () => /"ready":true/.test(await readyz()));
    await server.kill();
    await until("it is not", async () => /PostgreSQL does not answer/.test(await readyz()));
    for (let i = 0; i < 3; i++) expect(await readyz()).not.toMatch(/ECONN|127\.0\.0\.1/);
    expect(lines().slice(0, 2)).toEqual([first, "ready"]);
    const away = told.filter(({ msg }) => msg === "not ready: session: PostgreSQL does not answer.");
    expect(away).toEqual([
      expect.objectContaining({
        level: 40,
        err: expect.objectContaining({ message: expect.stringMatching(/ECONN|terminat/i) }),
      }),
    ]);
  },
);

test.skipIf(postgresMissing !== null)(
  "its synchronous standby is gone, so that no commit ends: not ready, as no question can be begun, until it need not wait",
  async () => {
    const server = await startPostgres();
    onTestFinished(() => server.close());
    const { ragline, close } = await openRagline({ session: { use: "postgres", url: server.url } } as ConfigInput);
    onTestFinished(close);
    await addPages(ragline);
    const missing = async () => (await ragline.ready()).missing;
    await until("it is ready", async () => (await missing()).length === 0);
    const standbys = async (names: string) => {
      await server.query(`ALTER SYSTEM SET synchronous_standby_names = '${names}'`);
      await server.query("SELECT pg_reload_conf()");
    };
    await standbys("*");
    await until("it waits for one", async () => (await missing()).length > 0);
    expect(await missing()).toEqual([expect.stringMatching(/^session: No answer within \d+ ms/)]);
    await expect(ragline.answer({ question: "연차 휴가는 며칠인가요?" })).rejects.toMatchObject({ step: "session" });
    await standbys("");
    await until("it is ready again", async () => (await missing()).length === 0);
  },
);
