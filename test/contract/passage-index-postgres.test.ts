import { describe } from "vitest";
import { PostgresPassageIndex } from "../../src/adapters/passage-index/postgres.ts";
import { indexOptions, postgresMissing, startPostgres } from "../support/postgres.ts";
import { MODEL, type OpenedPassageIndex, passageIndexContract } from "./passage-index.ts";
import { passageIndexWritesContract } from "./passage-index-writes.ts";
import { DIMENSIONS } from "./passages.ts";

async function openPostgres(): Promise<OpenedPassageIndex> {
  const server = await startPostgres();
  const open = async (model = MODEL, dimensions = DIMENSIONS) => {
    const index = await PostgresPassageIndex.open(indexOptions(server.url), { model, dimensions });
    return { index, close: () => index.close() };
  };
  const first = await open();
  return {
    index: first.index,
    another: open,
    async close() {
      await first.close();
      await server.close();
    },
  };
}

describe.skipIf(postgresMissing !== null)(`postgres${postgresMissing ? ` (${postgresMissing})` : ""}`, () => {
  passageIndexContract("postgres", openPostgres);
  passageIndexWritesContract("postgres", openPostgres);
});
