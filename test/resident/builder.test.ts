import { readdirSync, readFileSync } from "node:fs";
import { expect, onTestFinished, test } from "vitest";
import { Builder } from "../../src/resident/builder.ts";
import { Partition, type ResidentPassage } from "../../src/resident/partition.ts";
import { inSlices } from "../../src/resident/slices.ts";
import { numberSteps, termsOf } from "../../src/resident/terms.ts";
import { Vocabulary } from "../../src/resident/vocabulary.ts";

const passage = (row: number, document: number, text: string): ResidentPassage => ({
  ...{ row, documentRow: document, title: `규정 ${document}`, headings: ["Leave"], text },
  vector: Float32Array.from({ length: 8 }, (_, d) => Math.sin(row * 1.7 * (d + 1)) / 3),
  metadata: { document },
  groups: row % 3 === 0 ? ["hr"] : [],
});
const documentOf = (document: number, version: number) =>
  Array.from({ length: 20 }, (_, i) =>
    passage(version * 10_000 + document * 20 + i, document, `휴가는 leave ${i % 7} v${version} 퇴직금을 ${document}`),
  );
const ask = (partition: Partition, n: number) =>
  partition.search({
    ...{ text: `휴가 leave ${n % 7} v1`, limit: 30, groups: ["hr"] },
    vector: Float32Array.from({ length: 8 }, (_, d) => Math.cos(n * (d + 1)) / 3),
  });

function builder(): Builder {
  const made = new Builder();
  onTestFinished(() => made.close());
  return made;
}

/** 40 documents of 20 passages, half of them replaced: merged several times. */
async function written(partition: Partition): Promise<void> {
  for (let n = 0; n < 60; n++) {
    const passages = documentOf(n % 40, n < 40 ? 0 : 1);
    const terms = await partition.prepare(passages);
    const added = passages.map((one, i) => ({ ...one, ...(terms[i] && { terms: terms[i] }) }));
    await partition.applyInSlices({ removedDocuments: [n % 40], added }, n);
  }
  await partition.merged();
}

test("what a thread has prepared and merged is found as what was done here", async () => {
  const [there, here] = [new Partition(builder()), new Partition()];
  await written(there);
  await written(here);
  expect(there.passages).toBe(800);
  expect(there.segments.length).toBeLessThan(10);
  for (let n = 0; n < 30; n++) expect(ask(there, n)).toEqual(ask(here, n));
  expect(ask(there, 1).byText).toHaveLength(30);
});

test("terms that a thread found are numbered by the vocabulary", async () => {
  const [vocabulary, other] = [new Vocabulary(), new Vocabulary()];
  const passages = documentOf(1, 0);
  vocabulary.intern("before");
  const found = await builder().terms(passages);
  const numbered = found && (await inSlices(numberSteps(found, vocabulary)));
  const expected = passages.map((one) => termsOf(one, other));
  const named = (of: typeof expected, by: Vocabulary) =>
    of.map(({ terms, counts, length }) => [Array.from(terms, (term, i) => [by.termOf(term), counts[i]]), length]);
  expect(named(numbered ?? [], vocabulary)).toEqual(named(expected, other));
});

test("where the thread dies the work is done here", async () => {
  const dying = builder();
  const asked = dying.terms(documentOf(1, 0));
  await dying.close();
  expect(await asked).toBeNull();
  const partition = new Partition(dying);
  const writing = written(partition);
  const killing = setInterval(() => dying.close(), 5);
  await writing.finally(() => clearInterval(killing));
  const here = new Partition();
  await written(here);
  for (let n = 0; n < 10; n++) expect(ask(partition, n)).toEqual(ask(here, n));
});

test.runIf(process.platform === "linux")(
  "the thread gives way to those that answer, and they keep their priority",
  async () => {
    const before = niceness();
    await builder().terms(documentOf(1, 0));
    const lowest = (all: ReadonlyMap<string, number>) => [...all.values()].filter((nice) => nice === 19).length;
    expect(lowest(niceness())).toBe(lowest(before) + 1);
    expect(niceness().get(String(process.pid))).toBe(before.get(String(process.pid)));
  },
);

/** Of this process's threads, by their ids: proc(5), field 19 of `stat`. */
function niceness(): Map<string, number> {
  const fieldsOf = (thread: string) =>
    readFileSync(`/proc/self/task/${thread}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
  return new Map(readdirSync("/proc/self/task").map((thread) => [thread, Number(fieldsOf(thread)[16])]));
}
