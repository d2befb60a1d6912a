import fc from "fast-check";
import type { ResidentPassage } from "../../src/resident/partition.ts";
import type { Filter, Metadata } from "../../src/types.ts";

const WORDS = ["퇴직금은", "퇴직금", "퇴직연금", "휴가", "leave", "leaves", "pay", "the", "FastAPI", "30", "제8조"];
const DIMENSIONS = 3;

const text = fc.array(fc.constantFrom(...WORDS), { maxLength: 8 }).map((words) => words.join(" "));
const vector = fc
  .array(fc.integer({ min: -3, max: 3 }), { minLength: DIMENSIONS, maxLength: DIMENSIONS })
  .map((values) => Float32Array.from(values));
const scalar = fc.constantFrom("a", "b", "1", 1, 2, 3, true, false);
const metadata: fc.Arbitrary<Metadata> = fc.dictionary(
  fc.constantFrom("kind", "year", "tags"),
  fc.oneof(scalar, fc.array(scalar, { maxLength: 3 })),
);
const groups = fc.uniqueArray(fc.constantFrom("hr", "legal", "it"), { maxLength: 2 });

/** A passage without its row. */
export type Content = Omit<ResidentPassage, "row">;

export const content: fc.Arbitrary<Content> = fc.record({
  documentRow: fc.integer({ min: 1, max: 12 }),
  title: fc.constantFrom("", "휴가", "leave policy"),
  headings: fc.array(fc.constantFrom("퇴직금", "pay"), { maxLength: 1 }),
  text,
  vector: fc.option(vector),
  metadata,
  groups,
});

/** Changes to apply one after the other; several, so that there are several segments, merges and removals. */
export const changes = fc.array(
  fc.record({
    removedDocuments: fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { maxLength: 3 }),
    added: fc.array(content, { maxLength: 6 }),
  }),
  { minLength: 1, maxLength: 8 },
);

export const query = fc.record({
  text: fc.array(fc.constantFrom(...WORDS, "없는말"), { maxLength: 5 }).map((words) => words.join(" ")),
  vector,
  limit: fc.integer({ min: 1, max: 30 }),
  groups,
});

const condition = fc.oneof(
  scalar,
  fc
    .record(
      {
        $eq: scalar,
        $ne: scalar,
        $in: fc.array(scalar, { maxLength: 3 }),
        $nin: fc.array(scalar, { maxLength: 3 }),
        $gt: fc.constantFrom("a", 1),
        $gte: fc.constantFrom("b", 2),
        $lt: fc.constantFrom("b", 3),
        $lte: fc.constantFrom("a", 2),
      },
      { requiredKeys: [] },
    )
    .filter((operators) => Object.keys(operators).length > 0),
);

export const filter: fc.Arbitrary<Filter> = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { maxDepth: 2 },
    fc.dictionary(fc.constantFrom("kind", "year", "tags"), condition),
    fc.record({ $and: fc.array(tie("filter"), { minLength: 1, maxLength: 2 }) }),
    fc.record({ $or: fc.array(tie("filter"), { minLength: 1, maxLength: 2 }) }),
    fc.record({ $not: tie("filter") }),
  ),
})).filter;
