import { PostgresPassageIndex } from "../../src/adapters/passage-index/postgres.ts";
import { indexOptions, postgresMissing, startPostgres } from "../../test/support/postgres.ts";
import { recordPostgres } from "./bare-postgres.ts";
import { EMBEDDER } from "./corpus.ts";
import type { Engine } from "./engine.ts";

/** As a server for this would be set: the rest is PostgreSQL's own. */
const SETTINGS = ["shared_buffers=1GB", "max_wal_size=4GB", "effective_cache_size=4GB"];

export const postgres: Engine = {
  name: "postgres",
  missing: postgresMissing,
  writtenBy: ["src/adapters/passage-index/postgres-schema", "src/adapters/passage-index/postgres-terms", "src/text"],
  async start(folder) {
    const server = await startPostgres(SETTINGS, folder);
    const limits = { connectionsMax: 16, timeoutMs: 300_000, writeTimeoutMs: 600_000 };
    const open = (url: string) => PostgresPassageIndex.open({ ...indexOptions(url), ...limits }, EMBEDDER);
    const index = await open(server.url);
    return {
      index,
      bare: { record: () => recordPostgres(server.url), open },
      writers: 1,
      pid: server.pid,
      settle: async () => void (await server.query("VACUUM ANALYZE")),
      async close() {
        await index.close();
        await server.close();
      },
    };
  },
};
