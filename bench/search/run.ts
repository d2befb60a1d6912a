import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import { round } from "../stats.ts";
import { type BenchQuestion, DIMENSIONS, question } from "./corpus.ts";
import { loopDelayMs, measure } from "./measure.ts";
import { fts5, type Leg, lanceDb, miniSearch, sqliteVec } from "./others.ts";
import { fill, open, SCOPE, search } from "./ragline.ts";
import { serve } from "./served.ts";
import { whileWriting } from "./writing.ts";

const HELP = `npm run bench:search [-- options]

CPU a hybrid query (both legs, top 20, 384 dimensions) beside SQLite FTS5, MiniSearch, sqlite-vec and LanceDB on the same
generated texts and vectors. The others' hybrid is what one would build of them: LanceDB for both legs, FTS5 with sqlite-vec, or MiniSearch
with sqlite-vec, whichever is cheapest (\`timesLess…\`); and, though nobody would keep two such stores, the cheapest text leg
with the cheapest vector leg (\`timesLessOfAnyTwo…\`). Texts reach all engines as the same tokens.
\`coldStart…\` is the index alone in a process of its own, \`served…\` a whole \`ragline serve\` of the built code over the same file: until its
first answer, and its memory then and after 200 searches over HTTP.

  --small   5,000 passages only, without 100,000
  --writing searches while one writes only
  --large   100,000 passages only, without the others
  --json    the last line is one JSON object with every figure
  --help    this text
`;
const { values: options } = parseArgs({
  options: {
    small: { type: "boolean", default: false },
    large: { type: "boolean", default: false },
    writing: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const figures: Record<string, unknown> = {};
const folder = await mkdtemp(join(tmpdir(), "ragline-bench-search-"));

try {
  if (options.help) console.log(HELP);
  else {
    if (!options.large) {
      await ragline(5_000, "5k", 200);
      if (!options.writing) await others(5_000, "5k");
    }
    if (!options.small) await ragline(100_000, "100k", 60);
    if (options.json) console.log(JSON.stringify(figures));
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function ragline(size: number, label: string, queries: number): Promise<void> {
  const file = join(folder, `${label}.db`);
  const { index, close } = open(file);
  const startedAt = performance.now();
  await fill(index, size);
  await search(index, question(0, size));
  await index.settle?.(SCOPE, { signal: new AbortController().signal });
  note(`buildS${label}`, round((performance.now() - startedAt) / 1000, 1));
  // Questions are made beforehand: their making is no part of a search.
  const asked = Array.from({ length: 500 }, (_, n) => question(n, size));
  if (!options.writing) await alone(index, size, label, queries, asked);
  await close();
  if (!options.writing) await coldStart(file, label, asked);
  const rounds = size > 10_000 ? { count: 5, ms: 5000 } : { count: 7, ms: 3000 };
  note(`whileWriting${label}`, await whileWriting(file, size, asked, rounds));
}

async function alone(
  index: PassageIndex,
  size: number,
  label: string,
  queries: number,
  asked: readonly BenchQuestion[],
): Promise<void> {
  const ask = (n: number) => search(index, question(n % 500, size));
  const searchOnly = (n: number) => search(index, asked[n % 500] ?? question(n, size));
  await ask(1);
  const one = await measure(searchOnly, queries, 1);
  note(`cpuMs${label}`, one.cpuMs);
  note(`callers1_${label}`, one);
  note(`callers16_${label}`, await measure(searchOnly, queries, 16));
  const delay = await loopDelayMs(() => measure(searchOnly, queries, 16));
  note(`loopDelayP99Ms${label}`, delay);
}

async function coldStart(file: string, label: string, asked: readonly BenchQuestion[]): Promise<void> {
  const script = fileURLToPath(new URL("./cold.mjs", import.meta.url));
  const input = JSON.stringify(asked.slice(0, 50).map(({ text, vector }) => ({ text, vector: [...vector] })));
  const cold = execFileSync(process.execPath, [script, file, String(DIMENSIONS)], { encoding: "utf8", input });
  note(`coldStart${label}`, JSON.parse(cold));
  const texts = asked.slice(0, 200).map(({ text }) => text);
  note(`served${label}`, await serve(file, folder, texts));
}

async function others(size: number, label: string): Promise<void> {
  const legs: { name: string; leg: Leg["leg"]; cpuMs: number }[] = [];
  const builders: (() => Promise<Leg[]>)[] = [
    async () => [await fts5(size)],
    async () => [await miniSearch(size)],
    async () => [await sqliteVec(size)],
    () => lanceDb(size, join(folder, "lance")),
  ];
  for (const build of builders) {
    const startedAt = performance.now();
    const rssBefore = process.memoryUsage().rss;
    const built = await build();
    const buildS = round((performance.now() - startedAt) / 1000, 1);
    const rssMb = round((process.memoryUsage().rss - rssBefore) / 2 ** 20, 0);
    for (const one of built) {
      const asked = Array.from({ length: 100 }, (_, n) => question(n, size));
      const figures1 = await measure((n) => one.search(asked[n % 100] ?? question(n, size)), 30, 1);
      const figures16 = await measure((n) => one.search(asked[n % 100] ?? question(n, size)), 48, 16);
      legs.push({ name: one.name, leg: one.leg, cpuMs: figures1.cpuMs });
      note(`${one.name} ${one.leg} ${label}`, { ...figures1, callers16: figures16, buildS, rssMb });
    }
    for (const one of built) await one.close();
  }
  const cpuMs = (name: string, leg: Leg["leg"]) =>
    legs.find((one) => one.name === name && one.leg === leg)?.cpuMs ?? Number.NaN;
  const best = (leg: Leg["leg"]) => Math.min(...legs.filter((one) => one.leg === leg).map((one) => one.cpuMs));
  const vectors = cpuMs("sqlite-vec", "vector");
  const hybrid = Math.min(
    cpuMs("LanceDB", "text") + cpuMs("LanceDB", "vector"),
    cpuMs("SQLite FTS5", "text") + vectors,
    cpuMs("MiniSearch", "text") + vectors,
  );
  const own = Number(figures[`cpuMs${label}`]);
  note(`othersBestHybridCpuMs${label}`, round(hybrid, 3));
  note(`timesLess${label}`, round(hybrid / own, 1));
  note(`timesLessOfAnyTwo${label}`, round((best("text") + best("vector")) / own, 1));
}

function note(name: string, value: unknown): void {
  figures[name] = value;
  console.log(`${name}: ${JSON.stringify(value)}`);
}
