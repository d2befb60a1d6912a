import { describe } from "vitest";
import { PostgresPassageIndex } from "../../src/adapters/passage-index/postgres.ts";
import { passageIndexQualityContract } from "../contract/passage-index-quality.ts";
import { remotePassageIndexContract } from "../contract/passage-index-remote.ts";
import { indexOptions, postgresMissing, startPostgres } from "../support/postgres.ts";
import { openPostgres } from "../support/postgres-index.ts";

describe.skipIf(postgresMissing !== null)(`postgres${postgresMissing ? ` (${postgresMissing})` : ""}`, () => {
  remotePassageIndexContract("postgres", openPostgres, { recoveryMs: 60_000 });
  passageIndexQualityContract("postgres", async (space) => {
    const server = await startPostgres();
    const index = await PostgresPassageIndex.open(indexOptions(server.url), space);
    const close = async () => {
      await index.close();
      await server.close();
    };
    return { index, close };
  });
});
