import { createSqliteSessionStore } from "../../src/adapters/session-store/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { temporaryFolder } from "../support/folder.ts";
import { sessionStoreContract } from "./session-store.ts";

sessionStoreContract("sqlite", async () => {
  const folder = temporaryFolder();
  const database = Database.open(folder.file("sessions.db"));
  return {
    store: createSqliteSessionStore(database),
    async close() {
      await database.close();
      folder.remove();
    },
  };
});
