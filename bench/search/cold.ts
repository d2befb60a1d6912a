import { round } from "../stats.ts";
import { question } from "./corpus.ts";
import { open, search } from "./ragline.ts";

/** A process of its own: opens a file, searches once, and says how long that took and how large it is. */
const [, , file = "", size = "0"] = process.argv;
const asked = question(1, Number(size));
const startedAt = performance.now();
const { index, close } = open(file);
const found = await search(index, asked);
const { user, system } = process.cpuUsage();
const cpuMs = round((user + system) / 1000, 0);
const startMs = round(performance.now() - startedAt, 0);
for (let n = 0; n < 50; n++) await search(index, question(n, Number(size)));
const rssMb = round(process.memoryUsage().rss / 2 ** 20, 0);
console.log(JSON.stringify({ startMs, cpuMs, rssMb, hits: found.byText.length + found.byVector.length }));
await close();
