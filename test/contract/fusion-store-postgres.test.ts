import { describe } from "vitest";
import { postgresMissing } from "../support/postgres.ts";
import { openPostgres } from "../support/postgres-index.ts";
import { fusionStoreContract } from "./fusion-store.ts";

describe.skipIf(postgresMissing !== null)(`postgres${postgresMissing ? ` (${postgresMissing})` : ""}`, () => {
  fusionStoreContract("postgres", async () => {
    const { index, another, close } = await openPostgres();
    const elsewhere = await another();
    return {
      index,
      elsewhere: elsewhere.index,
      async close() {
        await elsewhere.close();
        await close();
      },
    };
  });
});
