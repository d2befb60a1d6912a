import { describe } from "vitest";
import { postgresMissing } from "../support/postgres.ts";
import { openPostgres } from "../support/postgres-index.ts";
import { passageIndexContract } from "./passage-index.ts";
import { passageIndexWritesContract } from "./passage-index-writes.ts";
import { transferContract } from "./transfer.ts";

describe.skipIf(postgresMissing !== null)(`postgres${postgresMissing ? ` (${postgresMissing})` : ""}`, () => {
  passageIndexContract("postgres", openPostgres);
  passageIndexWritesContract("postgres", openPostgres);
  transferContract("postgres", openPostgres);
});
