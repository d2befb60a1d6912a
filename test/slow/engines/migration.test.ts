import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OpenSearchPassageIndex } from "../../../src/adapters/passage-index/opensearch.ts";
import { finish, ragline, start } from "../../cli/run.ts";
import { HOSTILE_IDS } from "../../contract/transfer.ts";
import { call, SCOPE, sleep, until } from "../../support/calls.ts";
import { temporaryFolder } from "../../support/folder.ts";
import { configuration, contents, contentsOfFile, EMBEDDER, fill, openFile, write } from "../../support/migrating.ts";
import { type OpenSearchCluster, openSearch, startOpenSearch } from "../../support/opensearch.ts";
import { type PostgresServer, postgresMissing, startPostgres } from "../../support/postgres.ts";

const LAYOUT = { prefix: "moved", shards: 1, replicas: 0 };
/** What a killed run was writing stays locked for so long, at most. */
const LOCKED_MS = 90_000;
const missing = openSearch.missing ?? postgresMissing;

describe.skipIf(missing !== null)(missing ?? "ragline migrate, through every engine", () => {
  let cluster: OpenSearchCluster | undefined;
  let server: PostgresServer | undefined;
  let folder: ReturnType<typeof temporaryFolder>;

  beforeAll(async () => {
    folder = temporaryFolder();
    [cluster, server] = await Promise.all([startOpenSearch(), startPostgres()]);
    const searches = {
      a: { use: "sqlite", file: folder.file("a.db") },
      back: { use: "sqlite", file: folder.file("back.db") },
      opensearch: { use: "opensearch", url: cluster.url, ...LAYOUT },
      postgres: { use: "postgres", url: server.url },
    };
    for (const [name, search] of Object.entries(searches)) {
      await writeFile(folder.file(`${name}.yaml`), configuration(search));
    }
    const { index, close } = openFile(folder.file("a.db"));
    await fill(index, 300);
    for (const [i, id] of HOSTILE_IDS.entries()) await write(index, id, [5000 + i], { groups: ["인사", "g'\"\\,{}"] });
    await close();
  });
  afterAll(async () => {
    await cluster?.close();
    await server?.close();
    folder?.remove();
  });

  const moved = async (from: string, to: string) => {
    const { code, stdout, stderr } = await ragline(
      folder.path,
      ...["migrate", "--from", `${from}.yaml`, "--to", `${to}.yaml`, "--json"],
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining("ragline:") });
    const { agreement } = JSON.parse(stdout).collections[0].verification;
    console.info(`${from} -> ${to}: overlap ${agreement.overlap}, identical ${agreement.identical}`);
    expect(agreement).toMatchObject({ questions: 200 });
    return agreement.overlap as number;
  };

  test("sqlite, OpenSearch, PostgreSQL, sqlite: the same documents and answers", { timeout: 300_000 }, async () => {
    const source = await contentsOfFile(folder.file("a.db"));
    for (const [from, to] of [
      ["a", "opensearch"],
      ["opensearch", "postgres"],
      ["postgres", "back"],
    ] as const) {
      expect(await moved(from, to)).toBeGreaterThanOrEqual(0.95);
    }
    expect(source.length).toBe(300 + HOSTILE_IDS.length);
    expect(await contentsOfFile(folder.file("back.db"))).toEqual(source);
  });

  test("killed with -9 on its way to OpenSearch, it is taken up, also what the killed run had locked", {
    timeout: 400_000,
  }, async () => {
    const { index, close } = openFile(folder.file("a.db"));
    const open = () => new OpenSearchPassageIndex({ url: cluster?.url ?? "", ...LAYOUT, prefix: "killed" }, EMBEDDER);
    const search = { use: "opensearch", url: cluster?.url, ...LAYOUT, prefix: "killed" };
    await writeFile(folder.file("killed.yaml"), configuration(search));
    const target = open();
    for (const share of [1, 60]) {
      const running = start(folder.path, ["migrate", "--from", "a.yaml", "--to", "killed.yaml"]);
      const ended = finish(running);
      // An index that has just been made is not ready to be read.
      const arrived = () =>
        target.status(SCOPE, call()).then(
          ({ documents }) => documents >= share,
          () => false,
        );
      await until(`${share} documents have arrived`, arrived, LOCKED_MS + 60_000);
      await sleep(20);
      running.kill("SIGKILL");
      await ended;
    }
    const { code, stderr, stdout } = await ragline(
      folder.path,
      ...["migrate", "--from", "a.yaml", "--to", "killed.yaml", "--json"],
    );
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(JSON.parse(stdout).collections[0].problems).toEqual([]);
    expect(await contents(target)).toEqual(await contents(index));
    await target.close();
    await close();
  });
});
