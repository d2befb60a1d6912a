import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CarriedVersions, decide } from "../../src/migrate/decide.ts";
import { compareIds, type Pair, paired } from "../../src/migrate/merge.ts";
import type { DocumentEntry } from "../../src/types.ts";
import { collect } from "../support/calls.ts";

const text = fc.string({ unit: "binary", minLength: 1, maxLength: 6 });
const BASE = { title: "", metadata: {}, groups: [], passages: 1 };

function entry(id: string, hash = "h", indexedAt = "2026-01-01T00:00:00.000Z"): DocumentEntry {
  return { ...BASE, id, hash, indexedAt };
}

async function* listed(ids: Iterable<string>): AsyncGenerator<DocumentEntry, null> {
  for (const id of [...ids].sort(compareIds)) yield entry(id);
  return null;
}

describe("two lists as one", () => {
  test("every id once, in the order of UTF-8 bytes, with what each side has", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(text), fc.uniqueArray(text), async (ours, theirs) => {
        const pairs = await collect(paired(listed(ours), listed(theirs)));
        const all = [...new Set([...ours, ...theirs])].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        expect(pairs.map(({ id }) => id)).toEqual(all);
        for (const { id, source, target } of pairs) {
          expect([source?.id, target?.id]).toEqual([ours, theirs].map((side) => (side.includes(id) ? id : undefined)));
        }
      }),
    );
  });
});

describe("what becomes of a document", () => {
  const [EARLY, LATE, LATER] = ["2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z"];
  const pair = (source: DocumentEntry | null, target: DocumentEntry | null) => ({ id: "a", source, target }) as Pair;
  const carrying = (...entries: DocumentEntry[]) => {
    const carried = new CarriedVersions();
    for (const one of entries) carried.add(one);
    return carried;
  };

  test.each([
    ["the same", "same", pair(entry("a"), entry("a")), carrying()],
    ["the same, indexed there once more", "same", pair(entry("a", "h", EARLY), entry("a", "h", LATE)), carrying()],
    ["the same, indexed here once more", "copy", pair(entry("a", "h", LATE), entry("a", "h", EARLY)), carrying()],
    ["only here", "copy", pair(entry("a"), null), carrying()],
    ["only here, though this version was carried over", "gone", pair(entry("a"), null), carrying(entry("a"))],
    ["only here, another version was carried over", "copy", pair(entry("a", "2"), null), carrying(entry("a", "1"))],
    ["only there", "foreign", pair(null, entry("a")), carrying()],
    ["only there, as it was carried over", "delete", pair(null, entry("a")), carrying(entry("a"))],
    ["only there, not as it was carried over", "foreign", pair(null, entry("a", "2")), carrying(entry("a", "1"))],
    ["later here", "copy", pair(entry("a", "2", LATE), entry("a", "1", EARLY)), carrying()],
    ["later there", "newer", pair(entry("a", "1", EARLY), entry("a", "2", LATE)), carrying()],
    [
      "later there by its clock, but carried over",
      "copy",
      pair(entry("a", "2", EARLY), entry("a", "1", LATE)),
      carrying(entry("a", "1", LATE)),
    ],
    [
      "later there, after it was carried over",
      "newer",
      pair(entry("a", "1", EARLY), entry("a", "2", LATE)),
      carrying(entry("a", "1", EARLY)),
    ],
    [
      "carried over, and given back otherwise",
      "altered",
      pair(entry("a", "1"), entry("a", "?")),
      carrying(entry("a", "1")),
    ],
    ["only here, carried before", "gone", pair(entry("a", "1", EARLY), null), new CarriedVersions(LATE)],
    ["only here, since", "copy", pair(entry("a", "1", LATER), null), new CarriedVersions(LATE)],
    ["changed here since", "copy", pair(entry("a", "2", LATER), entry("a", "1", EARLY)), new CarriedVersions(LATE)],
    ["changed there since", "newer", pair(entry("a", "1", EARLY), entry("a", "2", LATER)), new CarriedVersions(LATE)],
    ["only there, carried before", "foreign", pair(null, entry("a", "1", EARLY)), new CarriedVersions(LATE)],
  ])("%s: %s", (_, decision, documents, carried) => {
    expect(decide(documents, carried)).toBe(decision);
  });
});
