import { SqlitePassageIndex } from "../../../src/adapters/passage-index/sqlite.ts";
import { Database } from "../../../src/adapters/sqlite/database.ts";
import type { PassageIndex } from "../../../src/ports/passage-index.ts";

/**
 * A process that fills an index, searches it, deletes every document and waits until its resident memory is near what it was before,
 * or the time is over. Prints the three sizes in MB.
 */
const [, , file = "", passages = "0", nearMb = "0", waitMs = "0"] = process.argv;
const DIMENSIONS = 384;
const PASSAGES_PER_DOCUMENT = 100;
const AT_ONCE = 8;
const documents = Number(passages) / PASSAGES_PER_DOCUMENT;
const scope = { tenant: "default", collection: "default", groups: [] };
const call = { signal: new AbortController().signal };
const rssMb = () => Math.round(process.memoryUsage().rss / 2 ** 20);

const database = Database.open(file);
const index: PassageIndex = new SqlitePassageIndex(database, { model: "generated", dimensions: DIMENSIONS });
await search(0);
const emptyMb = rssMb();
await eachDocument(write);
for (let n = 0; n < 20; n++) await search(n);
const fullMb = rssMb();
await eachDocument((document) => index.delete(scope, `d${document}`, call));
const deadline = performance.now() + Number(waitMs);
do {
  await new Promise((resolve) => setTimeout(resolve, 500));
  await search(1);
} while (rssMb() > emptyMb + Number(nearMb) && performance.now() < deadline);
console.log(JSON.stringify({ emptyMb, fullMb, deletedMb: rssMb() }));
await index.close?.();
await database.close();

async function eachDocument(run: (document: number) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < documents; from += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, documents - from) }, (_, i) => run(from + i));
    await Promise.all(some);
  }
}

function write(document: number): Promise<void> {
  const passages = Array.from({ length: PASSAGES_PER_DOCUMENT }, (_, i) => ({
    text: `휴가 규정 제${i}조 leave policy ${document}`,
    headings: [],
    tokens: 10,
    vector: vector(),
  }));
  const of = { id: `d${document}`, title: "규정", hash: "", metadata: {}, groups: [] };
  return index.replace(scope, of, passages, call);
}

async function search(n: number): Promise<void> {
  await index.search(scope, { text: `휴가 leave ${n}`, vector: vector(), limit: 20 }, call);
}

function vector(): Float32Array {
  const values = Float32Array.from({ length: DIMENSIONS }, () => Math.random() - 0.5);
  const norm = Math.hypot(...values);
  return values.map((value) => value / norm);
}
