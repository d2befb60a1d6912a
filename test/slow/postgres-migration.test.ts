import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PostgresPassageIndex } from "../../src/adapters/passage-index/postgres.ts";
import { finish, printed, ragline, start } from "../cli/run.ts";
import { HOSTILE_IDS } from "../contract/transfer.ts";
import { sleep } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { postJson } from "../support/http.ts";
import {
  configuration,
  contents,
  contentsOfFile,
  EMBEDDER,
  fill,
  openFile,
  textOf,
  write,
} from "../support/migrating.ts";
import { indexOptions, type PostgresServer, postgresMissing, startPostgres } from "../support/postgres.ts";

const DOCUMENTS = 600;

describe.skipIf(postgresMissing !== null)(postgresMissing ?? "ragline migrate, PostgreSQL", () => {
  let server: PostgresServer;
  let folder: ReturnType<typeof temporaryFolder>;
  const migrate = (from: string, to: string) => ["migrate", "--from", `${from}.yaml`, "--to", `${to}.yaml`];

  beforeAll(async () => {
    server = await startPostgres();
    folder = temporaryFolder();
    for (const name of ["a", "back"]) {
      await writeFile(folder.file(`${name}.yaml`), configuration({ use: "sqlite", file: folder.file(`${name}.db`) }));
    }
    await writeFile(folder.file("postgres.yaml"), configuration({ use: "postgres", url: server.url }));
    const { index, close } = openFile(folder.file("a.db"));
    await fill(index, DOCUMENTS);
    for (const [i, id] of HOSTILE_IDS.entries()) await write(index, id, [5000 + i], { groups: ["인사", "g'\"\\,{}"] });
    await close();
  });
  afterAll(async () => {
    folder?.remove();
    await server?.close();
  });

  test("while the source is served and written, killed again and again, nothing is lost; and back again all is as it was", {
    timeout: 240_000,
  }, async () => {
    const serving = start(folder.path, ["--config", "a.yaml", "serve", "--port", "0"]);
    const served = finish(serving);
    const url = /listening on (\S+);/.exec(await printed(serving, /listening on (\S+);/))?.[1] ?? "";
    const over = new AbortController();
    const seen = { asked: 0, failed: 0, written: 0 };
    const readers = (async () => {
      for (; !over.signal.aborted; seen.asked++) {
        const response = await postJson(`${url}/v1/search`, { query: `퇴직금 규정 제${seen.asked % 90}조` });
        const { hits } = (await response.json()) as { readonly hits: readonly unknown[] };
        if (response.status !== 200 || hits.length === 0) seen.failed++;
        await sleep(10);
      }
    })();
    const writers = (async () => {
      for (let i = 0; !over.signal.aborted; i++) {
        if (i % 4 === 3) await fetch(`${url}/v1/documents/d${(i * 7) % DOCUMENTS}`, { method: "DELETE" });
        else {
          const id = i % 2 === 0 ? `새 문서 ${i}` : `d${(i * 11) % DOCUMENTS}`;
          const { status } = await postJson(`${url}/v1/documents`, { id, text: textOf(10_000 + i) });
          // 409: a document of a group that nobody belongs to over HTTP.
          expect([200, 201, 409]).toContain(status);
        }
        seen.written++;
        await sleep(30);
      }
    })();

    let kills = 0;
    for (const afterMs of [900, 1300, 2100, 3000]) {
      const running = start(folder.path, [...migrate("a", "postgres"), "--prune"]);
      const ended = finish(running);
      await sleep(afterMs);
      if (running.kill("SIGKILL")) kills++;
      await ended;
    }
    const last = finish(start(folder.path, [...migrate("a", "postgres"), "--prune"]));
    await sleep(1500);
    over.abort();
    await Promise.all([readers, writers]);
    const { code, stderr, stdout } = await last;
    expect({ code, stderr, stdout }).toMatchObject({ code: 0 });
    // Writes that came after its last pass are the next run's.
    const json = await ragline(folder.path, ...migrate("a", "postgres"), "--prune", "--json");
    const [report] = JSON.parse(json.stdout).collections;
    expect(report).toMatchObject({ settled: true, quiet: true, problems: [] });
    expect(report.verification.target).toEqual(report.verification.source);
    expect(report.verification.agreement.questions).toBe(200);
    expect(report.verification.agreement.overlap).toBeGreaterThanOrEqual(0.95);
    serving.kill("SIGINT");
    expect((await served).code).toBe(0);
    console.info(
      `${kills} kills; ${seen.asked} searches, ${seen.written} writes meanwhile; overlap ${report.verification.agreement.overlap}`,
    );
    expect(seen).toMatchObject({ failed: 0 });
    expect(seen.asked).toBeGreaterThan(50);

    const index = await PostgresPassageIndex.open(indexOptions(server.url), EMBEDDER);
    const source = await contentsOfFile(folder.file("a.db"));
    expect(await contents(index)).toEqual(source);
    await index.close();
    const back = await ragline(folder.path, ...migrate("postgres", "back"), "--json");
    expect(back.code).toBe(0);
    expect(await contentsOfFile(folder.file("back.db"))).toEqual(source);
  });

  test("a server that goes and comes back is waited for", { timeout: 120_000 }, async () => {
    const { index, close } = openFile(folder.file("a.db"));
    for (let i = 0; i < 200; i++) await write(index, `more ${i}`, [20_000 + i]);
    await close();
    const running = finish(start(folder.path, [...migrate("a", "postgres"), "--prune"]));
    await sleep(1200);
    await server.kill();
    await sleep(500);
    await server.restart();
    expect(await running).toMatchObject({ code: 0 });
    const opened = await PostgresPassageIndex.open(indexOptions(server.url), EMBEDDER);
    expect(await contents(opened)).toEqual(await contentsOfFile(folder.file("a.db")));
    await opened.close();
  });
});
