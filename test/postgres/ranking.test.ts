import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PostgresPassageIndex } from "../../src/adapters/passage-index/postgres.ts";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import type { RowHit } from "../../src/resident/partition.ts";
import type { Filter, ScoredPassage } from "../../src/types.ts";
import { document } from "../contract/passages.ts";
import { filter as anyFilter, query as anyQuery, content } from "../resident/arbitraries.ts";
import { fieldsOf, isReadable, matches, naiveText, naiveVector } from "../resident/naive.ts";
import { call, scope } from "../support/calls.ts";
import { indexOptions, type PostgresServer, postgresMissing, startPostgres } from "../support/postgres.ts";

const SPACE = { model: "test", dimensions: 3 };
/** One way of searching each: all at once; terms left out, with and without documents that are found first. */
const TUNINGS = {
  "everything is read": {},
  "common terms are looked up": { postingsMin: 3 },
  "common terms are looked up, and filters one by one": { postingsMin: 3, exactMax: 0 },
};

describe.skipIf(postgresMissing !== null)(`ranking${postgresMissing ? ` (${postgresMissing})` : ""}`, () => {
  let server: PostgresServer;
  let made = 0;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.close());

  /** One after the other as many, and as high: sums in PostgreSQL are float32. */
  const expectScores = (hits: readonly ScoredPassage[], wanted: readonly RowHit[], limit: number) => {
    expect(hits).toHaveLength(Math.min(limit, wanted.length));
    for (const [i, { score }] of hits.entries()) expect(score).toBeCloseTo(wanted[i]?.score ?? Number.NaN, 4);
  };

  test.each(Object.entries(TUNINGS))(
    "%s: both legs have the hits and scores of the formulas over what may be read, whatever the filter",
    { timeout: 120_000 },
    async (_, tuning) => {
      const index: PassageIndex = await PostgresPassageIndex.open(indexOptions(server.url), SPACE, tuning);
      const corpora = fc.array(content, { minLength: 1, maxLength: 30 });
      await fc.assert(
        fc.asyncProperty(corpora, anyQuery, fc.option(anyFilter), async (contents, query, filter) => {
          const where = scope({ collection: `c${++made}` });
          for (const [i, { title, headings, text, vector, metadata, groups }] of contents.entries()) {
            const passage = { headings, text, tokens: 1, vector };
            await index.replace(where, document(`${i}`, { title, metadata, groups }), [passage], call());
          }
          const readable = contents.map((one, row) => ({ ...one, row })).filter((one) => isReadable(one, query.groups));
          const known = new Set(readable.flatMap(({ metadata }) => Object.keys(metadata)));
          fc.pre(filter === null || fieldsOf(filter).every((field) => known.has(field)));
          const wanted = (hits: RowHit[]) =>
            hits.filter(({ row }) => filter === null || matches(filter as Filter, contents[row]?.metadata ?? {}));
          const { text, vector, limit } = query;
          const found = await index.search(
            { ...where, groups: query.groups },
            { text, vector, limit, ...(filter && { filter }) },
            call(),
          );
          expectScores(found.byText, wanted(naiveText(readable, text)), limit);
          expectScores(found.byVector, wanted(naiveVector(readable, vector)), limit);
        }),
        { numRuns: 40 },
      );
      await index.close?.();
    },
  );
});
