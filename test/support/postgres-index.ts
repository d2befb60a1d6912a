import { type PostgresIndexOptions, PostgresPassageIndex } from "../../src/adapters/passage-index/postgres.ts";
import { MODEL } from "../contract/passage-index.ts";
import type { OpenedRemoteIndex } from "../contract/passage-index-remote.ts";
import { DIMENSIONS } from "../contract/passages.ts";
import { indexOptions, startPostgres } from "./postgres.ts";

/** An index in a server of its own. */
export async function openPostgres(change: Partial<PostgresIndexOptions> = {}): Promise<OpenedRemoteIndex> {
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
