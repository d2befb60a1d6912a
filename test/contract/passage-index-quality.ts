import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { DATA, type LoadedSet, loadSet, SETS } from "../../bench/retrieval/sets.ts";
import { createStaticEmbedder } from "../../src/adapters/embedder/static.ts";
import { SqlitePassageIndex } from "../../src/adapters/passage-index/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { ndcg } from "../../src/eval/metrics.ts";
import { createFusionLearner } from "../../src/fusion/keep.ts";
import { weightsFor } from "../../src/fusion/weights.ts";
import { collapseDuplicates } from "../../src/pipeline/duplicates.ts";
import { fuse } from "../../src/pipeline/fuse.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import { mean } from "../../src/statistics.ts";
import { passageText } from "../../src/text/passage-text.ts";
import { createWords } from "../../src/text/words.ts";
import { call, scope } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { document } from "./passages.ts";

const COMPARED = ["SciFact (en)", "law_ko"];
/** nDCG@10, by text alone and fused. */
const DIFFERENCE_MAX = 0.01;
const TOP = 20;
const BATCH = 64;

/** Text tokens and learned weights are Ragline's own: an engine finds what the embedded index finds, on real sets. */
export function passageIndexQualityContract(
  name: string,
  open: (space: Embedder) => Promise<{ readonly index: PassageIndex; close(): Promise<void> }>,
): void {
  const sets = SETS.filter((set) => COMPARED.includes(set.name));
  describe.skipIf(!existsSync(DATA)).each(sets)(`passage index: ${name}: $name`, (set) => {
    test("nDCG@10 agrees with the embedded index", { timeout: 600_000 }, async () => {
      const loaded = await loadSet(set);
      const embedder = createStaticEmbedder();
      const folder = temporaryFolder();
      const database = Database.open(folder.file("quality.db"));
      const embedded = new SqlitePassageIndex(database, embedder);
      const opened = await open(embedder);
      const [wanted, found] = [
        await measured(embedded, loaded, embedder),
        await measured(opened.index, loaded, embedder),
      ];
      console.info(`${set.name}: embedded ${shown(wanted)}, ${name} ${shown(found)}`);
      expect(Math.abs(found.text - wanted.text)).toBeLessThanOrEqual(DIFFERENCE_MAX);
      expect(Math.abs(found.fused - wanted.fused)).toBeLessThanOrEqual(DIFFERENCE_MAX);
      expect(found.fused).toBeGreaterThan(set.bars.search - DIFFERENCE_MAX);
      await opened.close();
      await embedded.close();
      await database.close();
      folder.remove();
    });
  });
  test.runIf(!existsSync(DATA))(
    `passage index: ${name}: quality is skipped: no evaluation data beside the repository`,
    () => {},
  );
}

async function measured(index: PassageIndex, { set, corpus }: LoadedSet, embedder: Embedder) {
  const where = scope({ collection: "quality" });
  for (let i = 0; i < corpus.length; i += BATCH) {
    const some = corpus.slice(i, i + BATCH);
    const vectors = await embedder.embed(
      some.map((one) => passageText({ ...one, headings: [] })),
      "passage",
      call(),
    );
    await Promise.all(
      some.map(({ id, title, text }, n) => {
        const passage = { text, headings: [], tokens: 1, vector: vectors[n] ?? null };
        return index.replace(where, document(id, { title }), [passage], call());
      }),
    );
  }
  await createFusionLearner({ index, embedder, settings: { fusion: "learned" } }, () => undefined).learn(where, call());
  const learned = (await index.fusion?.load(where, call())) ?? null;
  expect(learned).not.toBeNull();
  const words = createWords();
  const text: number[] = [];
  const fused: number[] = [];
  for (const { text: query, grades } of set.queries) {
    const [vector] = await embedder.embed([query], "query", call());
    const legs = await index.search(where, { text: query, limit: TOP, ...(vector && { vector }) }, call());
    const hits = collapseDuplicates(fuse(legs, query, TOP, weightsFor("learned", learned, query), words), words);
    const score = (some: typeof hits) =>
      ndcg(
        some.map(({ passage }) => passage.documentId),
        grades,
        10,
      );
    text.push(score([...legs.byText]));
    fused.push(score(hits));
  }
  return { text: mean(text), fused: mean(fused) };
}

function shown({ text, fused }: { readonly text: number; readonly fused: number }): string {
  return `${text.toFixed(3)} by text, ${fused.toFixed(3)} fused`;
}
