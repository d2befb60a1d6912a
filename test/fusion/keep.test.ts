import { afterEach, expect, test } from "vitest";
import { createStaticEmbedder } from "../../src/adapters/embedder/static.ts";
import { SqlitePassageIndex } from "../../src/adapters/passage-index/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { fusionStatus } from "../../src/fusion/describe.ts";
import { createFusionLearner } from "../../src/fusion/keep.ts";
import { LEARNER_VERSION, PRIOR, weightsFor } from "../../src/fusion/weights.ts";
import { call, SCOPE } from "../support/calls.ts";
import { folderForTest } from "../support/folder.ts";

const CALL = call();
const embedder = createStaticEmbedder();
const settings = { fusion: "learned" } as const;
const opened: Database[] = [];
afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
});

async function indexOf(count: number) {
  const database = Database.open(folderForTest().file("test.db"));
  opened.push(database);
  const index = new SqlitePassageIndex(database, embedder);
  const add = async (from: number, to: number, groups: string[] = []) => {
    for (let i = from; i < to; i++) {
      const text = `제${i}조 휴가의 신청은 ${i}일 전에 한다. 승인된 휴가는 인사팀에 알려야 한다.`;
      const [vector] = await embedder.embed([text], "passage", CALL);
      const document = { id: `d${String(i).padStart(3, "0")}`, title: `규정 ${i}`, hash: "", metadata: {}, groups };
      await index.replace(SCOPE, document, [{ text, headings: [], tokens: 1, vector: vector ?? null }]);
    }
  };
  await add(0, count);
  return { index, add };
}

const breathe = () => undefined;

test("learns once, stores it with the index, and learns again when the collection has grown by half", async () => {
  const { index, add } = await indexOf(30);
  const before = await index.version(SCOPE);
  const learner = createFusionLearner({ index, embedder, settings }, breathe);
  expect(await learner.learn(SCOPE, CALL)).toBe(true);
  expect(await index.fusion.load(SCOPE)).toMatchObject({ passages: 30, embedder: embedder.model });
  expect(await index.version(SCOPE)).not.toBe(before);
  expect(await learner.learn(SCOPE, CALL)).toBe(false);
  await add(30, 40);
  expect(await learner.learn(SCOPE, CALL)).toBe(false);
  await add(40, 46);
  expect(await learner.learn(SCOPE, CALL)).toBe(true);
  expect((await index.fusion.load(SCOPE))?.passages).toBe(46);
});

test("callers at once learn once", async () => {
  const { index } = await indexOf(26);
  const learner = createFusionLearner({ index, embedder, settings }, breathe);
  const learned = await Promise.all([1, 2, 3].map(() => learner.learn(SCOPE, CALL)));
  expect(learned).toEqual([true, false, false]);
  expect((await index.fusion.load(SCOPE))?.passages).toBe(26);
});

test("documents of groups are neither learned from nor counted, whoever has it learned", async () => {
  const { index: own } = await indexOf(20);
  const { index, add } = await indexOf(20);
  const member = { ...SCOPE, groups: ["hr"] };
  await add(20, 60, ["hr"]);
  expect(await createFusionLearner({ index, embedder, settings }, breathe).learn(member, CALL)).toBe(true);
  expect(await createFusionLearner({ index: own, embedder, settings }, breathe).learn(SCOPE, CALL)).toBe(true);
  expect(await index.fusion.load(SCOPE)).toEqual(await own.fusion.load(SCOPE));
  await add(60, 120, ["hr"]);
  expect(await createFusionLearner({ index, embedder, settings }, breathe).learn(member, CALL)).toBe(false);

  const { index: closed, add: addClosed } = await indexOf(0);
  await addClosed(0, 40, ["hr"]);
  expect(await createFusionLearner({ index: closed, embedder, settings }, breathe).learn(member, CALL)).toBe(false);
  expect(await closed.fusion.load(SCOPE)).toBeNull();
});

test("what an earlier Ragline learned is not used, and learned again", async () => {
  const { index } = await indexOf(20);
  const weights = { uncovered: 0, covered: 0, questions: 155 };
  const earlier = { version: LEARNER_VERSION - 1, embedder: embedder.model, passages: 20 };
  const stored = { ...earlier, weights: { ko: weights, en: weights, other: weights } };
  await index.fusion.save(SCOPE, stored);
  expect(weightsFor("learned", stored, "휴가는 며칠인가요?")).toEqual(PRIOR);
  expect(fusionStatus("learned", stored)).toEqual(fusionStatus("learned", null));
  const learner = createFusionLearner({ index, embedder, settings }, breathe);
  expect(await learner.isOutdated(SCOPE, CALL)).toBe(true);
  expect(await learner.learn(SCOPE, CALL)).toBe(true);
  expect(await learner.isOutdated(SCOPE, CALL)).toBe(false);
  expect(await index.fusion.load(SCOPE)).toMatchObject({ version: LEARNER_VERSION });
});

test("what is written while it learns is looked at afterwards, for a caller of that time", async () => {
  const { index, add } = await indexOf(20);
  const isUnderWay = Promise.withResolvers<void>();
  const mayGoOn = Promise.withResolvers<void>();
  const learner = createFusionLearner({ index, embedder, settings }, async () => {
    isUnderWay.resolve();
    await mayGoOn.promise;
  });
  const first = learner.learn(SCOPE, CALL);
  await isUnderWay.promise;
  await add(20, 40);
  const second = learner.learn(SCOPE, CALL);
  mayGoOn.resolve();
  expect([await first, await second]).toEqual([true, true]);
  expect((await index.fusion.load(SCOPE))?.passages).toBe(40);
});

test("a learning that fails, or whose caller left, is no other caller's failure", async () => {
  const { index } = await indexOf(20);
  const learner = createFusionLearner({ index, embedder, settings }, breathe);
  const gone = learner.learn(SCOPE, call(AbortSignal.abort()));
  const stays = learner.learn(SCOPE, CALL);
  await expect(gone).rejects.toThrow();
  expect(await stays).toBe(true);
});

test("nothing is learned where fusion is fixed, or where texts would leave the machine", async () => {
  const { index } = await indexOf(20);
  const fixed = createFusionLearner({ index, embedder, settings: { fusion: { uncovered: 0.5, covered: 0 } } }, breathe);
  expect(await fixed.learn(SCOPE, CALL)).toBe(false);
  const remote = createFusionLearner({ index, embedder: { ...embedder, remote: true }, settings }, breathe);
  expect(await remote.learn(SCOPE, CALL)).toBe(false);
  expect(remote.isDue(SCOPE, 1000)).toBe(false);
  expect(await index.fusion.load(SCOPE)).toBeNull();
});

test("is due after a quarter of the collection was written, and at least 16 passages", async () => {
  const { index } = await indexOf(20);
  const learner = createFusionLearner({ index, embedder, settings }, breathe);
  expect(learner.isDue(SCOPE, 15)).toBe(false);
  expect(learner.isDue(SCOPE, 1)).toBe(true);
  expect(learner.isDue(SCOPE, 15)).toBe(false);
});

test("the sample is spread over documents by id, and is the same whatever order they came in", async () => {
  const { index } = await indexOf(20);
  const titles = (await index.fusion.sample(SCOPE, 5)).map(({ title }) => title);
  expect(titles).toEqual(["규정 2", "규정 6", "규정 10", "규정 14", "규정 18"]);
  expect(await index.fusion.sample({ ...SCOPE, tenant: "other" }, 5)).toEqual([]);
});
