import { SqlitePassageIndex } from "../../src/adapters/passage-index/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { temporaryFolder } from "../support/folder.ts";
import { MODEL, type OpenedPassageIndex, passageIndexContract } from "./passage-index.ts";
import { passageIndexWritesContract } from "./passage-index-writes.ts";
import { DIMENSIONS } from "./passages.ts";
import { transferContract } from "./transfer.ts";

async function openSqlite(): Promise<OpenedPassageIndex> {
  const folder = temporaryFolder();
  const open = (model = MODEL, dimensions = DIMENSIONS) => {
    const database = Database.open(folder.file("index.db"));
    const index = new SqlitePassageIndex(database, { model, dimensions });
    const close = async () => {
      await index.close();
      await database.close();
    };
    return { index, close };
  };
  const first = open();
  return {
    index: first.index,
    othersSeenWithinMs: 200,
    another: async (model, dimensions) => open(model, dimensions),
    async close() {
      await first.close();
      folder.remove();
    },
  };
}

passageIndexContract("sqlite", openSqlite);
passageIndexWritesContract("sqlite", openSqlite);
transferContract("sqlite", openSqlite);
