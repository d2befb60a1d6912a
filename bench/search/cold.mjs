import { collectForServing, holdYoungGeneration } from "../../dist/cli/garbage-collection.js";

/**
 * A process of its own, as a user's: the built code, and none of the generator's words. Opens a file, searches, and says how long that took
 * and how large it is. Its questions come on standard input.
 */
holdYoungGeneration();
const [, , file = "", dimensions = "0"] = process.argv;
const asked = await questions();
const startedAt = performance.now();
const { SqlitePassageIndex } = await import("../../dist/adapters/passage-index/sqlite.js");
const { Database } = await import("../../dist/adapters/sqlite/database.js");
const database = Database.open(file);
const index = new SqlitePassageIndex(database, { model: `hashing/${dimensions}`, dimensions: Number(dimensions) });
const { signal } = new AbortController();
const scope = { tenant: "bench", collection: "bench", groups: [] };
/** @param {{ text: string, vector: Float32Array }} question */
const search = ({ text, vector }) => index.search(scope, { text, vector, limit: 20 }, { signal });

const first = asked[0];
const found = first ? await search(first) : { byText: [], byVector: [] };
const { user, system } = process.cpuUsage();
const startMs = Math.round(performance.now() - startedAt);
collectForServing();
for (const question of asked) await search(question);
const rssFirstMb = rssMb();
await new Promise((resolve) => setTimeout(resolve, 3000));
for (const question of asked) await search(question);
const figures = { startMs, cpuMs: Math.round((user + system) / 1000), rssFirstMb, rssMb: rssMb() };
console.log(JSON.stringify({ ...figures, hits: found.byText.length + found.byVector.length }));
await index.close();
await database.close();

function rssMb() {
  return Math.round(process.memoryUsage().rss / 2 ** 20);
}

async function questions() {
  let text = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) text += chunk;
  /** @type {{ text: string, vector: number[] }[]} */
  const read = JSON.parse(text);
  return read.map(({ text, vector }) => ({ text, vector: Float32Array.from(vector) }));
}
