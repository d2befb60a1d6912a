import { SqlitePassageIndex } from "../../src/adapters/passage-index/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { temporaryFolder } from "../support/folder.ts";
import { fusionStoreContract } from "./fusion-store.ts";
import { DIMENSIONS } from "./passages.ts";

fusionStoreContract("sqlite", async () => {
  const folder = temporaryFolder();
  const databases = [1, 2].map(() => Database.open(folder.file("fusion.db")));
  const [index, elsewhere] = databases.map(
    (database) => new SqlitePassageIndex(database, { model: "test", dimensions: DIMENSIONS }),
  );
  if (!index || !elsewhere) throw new Error("two indexes were to be opened");
  const close = async () => {
    for (const database of databases) await database.close();
    folder.remove();
  };
  return { index, elsewhere, close };
});
