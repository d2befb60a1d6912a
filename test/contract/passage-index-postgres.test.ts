import { describe } from "vitest";
import { type PostgresIndexOptions, PostgresPassageIndex } from "../../src/adapters/passage-index/postgres.ts";
import { indexOptions, postgresMissing, startPostgres } from "../support/postgres.ts";
import { MODEL, passageIndexContract } from "./passage-index.ts";
import { type OpenedRemoteIndex, remotePassageIndexContract } from "./passage-index-remote.ts";
import { passageIndexWritesContract } from "./passage-index-writes.ts";
import { DIMENSIONS } from "./passages.ts";

async function openPostgres(change: Partial<PostgresIndexOptions> = {}): Promise<OpenedRemoteIndex> {
  const server = await startPostgres();
  const open = async (model = MODEL, dimensions = DIMENSIONS) => {
    const index = await PostgresPassageIndex.open({ ...indexOptions(server.url), ...change }, { model, dimensions });
    return { index, close: () => index.close() };
  };
  const first = await open();
  return {
    index: first.index,
    another: open,
    kill: server.kill,
    restart: server.restart,
    freeze: () => server.signalAll("SIGSTOP"),
    thaw: () => server.signalAll("SIGCONT"),
    async dropIdleConnections() {
      const idle = "usename = 'ragline' AND state = 'idle'";
      await server.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${idle}`);
    },
    async close() {
      await first.close();
      await server.close();
    },
  };
}

describe.skipIf(postgresMissing !== null)(`postgres${postgresMissing ? ` (${postgresMissing})` : ""}`, () => {
  passageIndexContract("postgres", openPostgres);
  passageIndexWritesContract("postgres", openPostgres);
  remotePassageIndexContract("postgres", openPostgres, { recoveryMs: 60_000 });
});
