import fc from "fast-check";
import { expect, test } from "vitest";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import { withMethods } from "../../src/wrap/with-methods.ts";
import { call, SCOPE } from "../support/calls.ts";
import { contents, migrated, openSqliteIndex, write } from "../support/migrating.ts";

const IDS = ["a", "b", "c", "\uffee", "\u{1f600}", "휴가", "출장", "z"];
const GROUPS = [[], [], ["인사"], ["임원", "감사"]];

const change = fc.record({
  id: fc.constantFrom(...IDS),
  /** Null: it goes. */
  seed: fc.option(fc.nat(999), { freq: 4 }),
  groups: fc.constantFrom(...GROUPS),
  /** Calls of the migration before it. */
  after: fc.nat(4),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

async function apply(index: PassageIndex, { id, seed, groups }: Change): Promise<void> {
  if (seed !== null) return write(index, id, [seed, seed + 1].slice(0, 1 + (seed % 2)), { groups });
  const all = await index.groups(SCOPE, call());
  await index.delete({ ...SCOPE, groups: all }, id, call());
}

/** Before its calls the migration's own waits, others write. */
function disturbed(index: PassageIndex, before: () => Promise<void>): PassageIndex {
  return withMethods(index, {
    list: async (...args) => {
      await before();
      return index.list(...args);
    },
    replace: async (...args) => {
      await before();
      return index.replace(...args);
    },
    version: async (...args) => {
      await before();
      return index.version(...args);
    },
    find: async (...args) => {
      await before();
      return index.find(...args);
    },
  });
}

test("whatever is written and deleted in the source meanwhile, in the end the target holds the same", {
  timeout: 120_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 8 }),
      fc.array(change, { maxLength: 12 }),
      async (first, later) => {
        const [source, target] = [openSqliteIndex(), openSqliteIndex()];
        try {
          await write(source.index, "always", [1]);
          for (const one of first) await apply(source.index, one);
          let wait = later[0]?.after ?? 0;
          const pending = [...later];
          const disturb = async () => {
            const [next] = pending;
            if (!next || wait-- > 0) return;
            pending.shift();
            wait = pending[0]?.after ?? 0;
            await apply(source.index, next);
          };
          const report = await migrated(disturbed(source.index, disturb), disturbed(target.index, disturb), {
            questions: 0,
          });
          expect(report).toMatchObject({ settled: true, problems: [] });
          const rest = await contents(source.index);
          // What came after the last pass, during the comparison, is the next run's.
          if (!report.quiet) await migrated(source.index, target.index, { questions: 0, others: "delete" });
          expect(await contents(target.index)).toEqual(rest);
        } finally {
          await source.close();
          await target.close();
        }
      },
    ),
    { numRuns: 15 },
  );
});
