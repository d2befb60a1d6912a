import { parseArgs } from "node:util";
import { createHashingEmbedder } from "../../src/adapters/embedder/hashing.ts";
import { createStaticEmbedder } from "../../src/adapters/embedder/static.ts";
import { mean } from "../../src/statistics.ts";
import { halves, measure } from "./measure.ts";
import { loadSet, SETS } from "./sets.ts";

const HELP = `npm run bench:retrieval [-- options] [part of a set's name …]

nDCG@10 of text search alone, fused and reranked, on every evaluation set beside the repository, as a Markdown table; in brackets
the same on every other question and on the rest.

  --embed static|hashing   where vectors come from (static)
  --table FILE             another table for static, e.g. one that was built without the corpus searched
  --json                   a JSON object a line instead
  --help                   this text
`;
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    embed: { type: "string", default: "static" },
    table: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

if (options.help) console.log(HELP);
else await run();

async function run(): Promise<void> {
  const embedder =
    options.embed === "hashing" ? createHashingEmbedder({ dimensions: 384 }) : createStaticEmbedder(options.table);
  if (!options.json) console.log("| set | questions | text alone | fused | reranked |\n|---|---|---|---|---|");
  const wanted = SETS.filter(({ name }) => positionals.length === 0 || positionals.some((part) => name.includes(part)));
  for (const named of wanted) {
    const { text, search, rerank, learned } = await measure(await loadSet(named), embedder);
    const figures = { text, search, rerank };
    if (options.json) {
      const means = Object.entries(figures).map(([leg, values]) => [leg, [mean(values), ...halves(values).map(mean)]]);
      console.log(JSON.stringify({ set: named.name, questions: text.length, ...Object.fromEntries(means), learned }));
    } else {
      const cells = Object.values(figures).map(cell);
      console.log(`| ${[named.name, text.length, ...cells].join(" | ")} |`);
    }
  }
}

function cell(values: readonly number[]): string {
  const [odd, even] = halves(values).map((half) => mean(half).toFixed(3));
  return `${mean(values).toFixed(3)} (${odd}, ${even})`;
}
