import { expect, test } from "vitest";
import type { MilvusRecords, StoredRecord } from "../../src/adapters/passage-index/milvus-records.ts";
import { MilvusStatistics } from "../../src/adapters/passage-index/milvus-statistics.ts";
import { RaglineError } from "../../src/errors.ts";

/** Statistics of nothing, read when `read` is called, or not at all where it is refused. */
function statistics() {
  const reading = Promise.withResolvers<StoredRecord[]>();
  let reads = 0;
  const records = {
    isStrong: () => false,
    findAll(_query: unknown, { signal }: { signal: AbortSignal }) {
      reads++;
      return new Promise((resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
        reading.promise.then(resolve, reject);
      });
    },
  } as unknown as MilvusRecords;
  return { statistics: new MilvusStatistics(records), read: () => reading.resolve([]), reads: () => reads };
}

test("whoever leaves while counts are read for the first time takes them from nobody else", async () => {
  const { statistics: counts, read, reads } = statistics();
  const [first, second] = [new AbortController(), new AbortController()];
  const [left, stayed] = [counts.of("p", first), counts.of("p", second)];
  const leaving = expect(left).rejects.toMatchObject({ code: "cancelled" });
  first.abort(new RaglineError("cancelled", "The caller left."));
  await leaving;
  read();
  expect(await stayed).toMatchObject({ passages: 0 });
  expect(reads()).toBe(1);
});

test("whoever has no more time stops waiting, and what was read is there for the next", async () => {
  const { statistics: counts, read, reads } = statistics();
  const { signal } = new AbortController();
  const late = counts.of("p", { signal, deadline: performance.now() + 20 });
  await expect(late).rejects.toMatchObject({ code: "dependency_timeout" });
  read();
  expect(await counts.of("p", { signal })).toMatchObject({ passages: 0 });
  expect(reads()).toBe(1);
});
