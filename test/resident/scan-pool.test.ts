import { expect, test } from "vitest";
import { Partition } from "../../src/resident/partition.ts";
import { Scanner } from "../../src/resident/scan.ts";
import { ScanPool } from "../../src/resident/scan-pool.ts";

function filledPartition(): Partition {
  const partition = new Partition();
  const added = Array.from({ length: 400 }, (_, i) => ({
    ...{ row: i + 1, documentRow: i + 1, title: "", headings: [], text: `휴가 규정 ${i % 7} 조 leave ${i}` },
    vector: Float32Array.from({ length: 24 }, (_, d) => Math.sin((i + 1) * (d + 1)) / 5),
    metadata: { year: 2000 + (i % 5) },
    groups: [],
  }));
  partition.apply({ removedDocuments: [], added });
  return partition;
}
const query = (n: number) => ({
  text: `휴가 leave ${n}`,
  vector: Float32Array.from({ length: 24 }, (_, d) => Math.cos(n * (d + 1)) / 5),
  limit: 20,
  groups: [],
});

test("a thread finds what this thread finds, with filters and after removals", async () => {
  const partition = filledPartition();
  const here = new Scanner(0);
  const pool = new ScanPool(() => expect.unreachable("the thread must answer"));
  for (let n = 0; n < 20; n++) {
    partition.apply({ removedDocuments: [n * 3 + 1], added: [] });
    const plan = partition.plan({ ...query(n), ...(n % 2 === 0 && { filter: { year: { $gte: 2002 } } }) });
    expect(await pool.scan(plan)).toEqual(here.scan(plan));
  }
  await pool.close();
});

test("a thread that dies takes no search down, and another one takes over", async () => {
  const partition = filledPartition();
  const here = new Scanner(0);
  let scannedHere = 0;
  const pool = new ScanPool((plan) => {
    scannedHere++;
    return here.scan(plan);
  });
  const plan = partition.plan(query(1));
  const waiting = Array.from({ length: 8 }, () => pool.scan(plan));
  await pool.close();
  for (const result of await Promise.all(waiting)) expect(result).toEqual(here.scan(plan));
  expect(scannedHere).toBeGreaterThan(0);
  const before = scannedHere;
  expect(await pool.scan(plan)).toEqual(here.scan(plan));
  expect(scannedHere).toBe(before);
  await pool.close();
});
