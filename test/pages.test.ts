import fc from "fast-check";
import { expect, test } from "vitest";
import type { Calls } from "../src/calls.ts";
import { parseConfig } from "../src/config.ts";
import { boundedPage, latestThatFit } from "../src/pages.ts";
import type { SessionStore } from "../src/ports/session-store.ts";
import { requestSchemas } from "../src/requests.ts";
import { Sessions } from "../src/sessions.ts";
import { SCOPE } from "./support/calls.ts";
import { emptySession } from "./support/stages.ts";

const MIB = 1_048_576;
const items = (sizes: readonly number[]) => sizes.map((size, i) => ({ number: i + 1, text: "x".repeat(size) }));

test("pages of any sizes, one after the other, hold everything once, each within its bounds", async () => {
  const size = fc.oneof(fc.constant(10), fc.constant(100_000), fc.constant(3 * MIB), fc.constant(9 * MIB));
  await fc.assert(
    fc.asyncProperty(fc.array(size, { maxLength: 30 }), fc.integer({ min: 1, max: 40 }), async (sizes, limit) => {
      const all = items(sizes);
      const seen: number[] = [];
      let after: number | undefined;
      do {
        let bytesRead = 0;
        const page = await boundedPage(
          limit,
          after,
          ({ number }: (typeof all)[number]) => number,
          async (from = 0, count) => {
            const found = all.slice(from, from + count);
            bytesRead += found.reduce((sum, { text }) => sum + text.length, 0);
            return { items: found, next: from + count < all.length ? from + count : undefined };
          },
        );
        const bytes = page.items.reduce((sum, { text }) => sum + text.length, 0);
        expect(page.items.length).toBeLessThanOrEqual(limit);
        expect(page.items.length === 1 || bytes <= 8 * MIB).toBe(true);
        expect(bytesRead).toBeGreaterThanOrEqual(bytes);
        seen.push(...page.items.map(({ number }) => number));
        after = page.next;
      } while (after !== undefined);
      expect(seen).toEqual(all.map(({ number }) => number));
    }),
    { numRuns: 40 },
  );
});

test("a conversation is read with its latest turns that fit a page", async () => {
  const turns = items(Array(6).fill(3 * MIB)).map(({ number, text }) => ({ number, requestId: "r", question: text }));
  const load = async () => ({ ...emptySession("s"), version: 1, turns });
  const calls = { scope: () => SCOPE, store: (_step: string, _caller: object, call: () => unknown) => call() };
  const store = { load } as unknown as SessionStore;
  const sessions = new Sessions(requestSchemas(parseConfig({}, {})), store, calls as unknown as Calls);
  expect((await sessions.read("s", undefined, {}))?.turns.map(({ number }) => number)).toEqual([5, 6]);
});

test("small things are read in few pieces, large ones not far beyond the page", async () => {
  const reads = async (sizes: readonly number[], limit: number) => {
    const all = items(sizes);
    const counts: number[] = [];
    await boundedPage(
      limit,
      undefined,
      ({ number }: (typeof all)[number]) => number,
      async (from = 0, count) => {
        counts.push(count);
        return { items: all.slice(from, from + count), next: from + count < all.length ? from + count : undefined };
      },
    );
    return counts;
  };
  expect(await reads(Array(2000).fill(100), 100)).toEqual([4, 32, 64]);
  expect(await reads(Array(2000).fill(100), 1000)).toEqual([4, 32, 288, 676]);
  expect(await reads(Array(2000).fill(MIB), 1000)).toEqual([4, 3, 1]);
});

test("of a conversation the latest turns are shown that fit", () => {
  expect(latestThatFit([])).toEqual([]);
  expect(latestThatFit(items([9 * MIB]))).toHaveLength(1);
  expect(latestThatFit(items([9 * MIB, 10, 10])).map(({ number }) => number)).toEqual([2, 3]);
  expect(latestThatFit(items([3 * MIB, 3 * MIB, 3 * MIB])).map(({ number }) => number)).toEqual([2, 3]);
});
