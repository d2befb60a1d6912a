import { join } from "node:path";
import { SqlitePassageIndex } from "../../src/adapters/passage-index/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { EMBEDDER, tenantsOf } from "./corpus.ts";
import type { Engine } from "./engine.ts";

export const embedded: Engine = {
  name: "embedded",
  missing: null,
  writtenBy: ["src/adapters/sqlite", "src/adapters/passage-index/sqlite", "src/resident", "src/text"],
  async start(folder) {
    const database = Database.open(join(folder, "bench.db"));
    const index = new SqlitePassageIndex(database, EMBEDDER);
    return {
      index,
      writers: 4,
      pid: null,
      async settle() {
        for (const { scope } of tenantsOf(0)) await index.settle(scope);
      },
      async close() {
        await index.close?.();
        await database.close();
      },
    };
  },
};
