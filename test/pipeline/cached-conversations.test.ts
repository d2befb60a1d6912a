import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Stages } from "../../src/pipeline/stages.ts";
import type { Entity, Message, PendingTurn, Session, Turn } from "../../src/types.ts";
import {
  askAll,
  emptySession,
  endOf,
  fakeStages,
  memoryCache,
  modelOf,
  questionOf,
  withSessions,
} from "../support/stages.ts";

/** What a store holds of a conversation. */
interface Stored {
  readonly turns: readonly Pick<Turn, "question" | "answer" | "short">[];
  /** Of the turns that are shortened or summarised, by number. */
  readonly originals: Readonly<Record<number, string>>;
  readonly summarizedTurns: number;
  readonly summary: string;
  readonly facts: readonly string[];
  readonly pending: readonly string[];
}

const QUESTION = "표에서 연차 단가는 얼마인가요?";
const said = fc.constantFrom("연차 단가는 100원입니다.", "연차 단가는 999원입니다.", "병가 단가는 5원입니다.");
const turns = fc.array(fc.record({ question: said, answer: said, short: fc.boolean() }), { maxLength: 3 });
const any = fc.record<Stored>({
  turns: turns.map((all) =>
    all.map((turn) => (turn.short ? { ...turn, answer: "[table, 9 rows: turn 1; 품목 단가]" } : turn)),
  ),
  originals: fc.record({ 1: said, 2: said, 3: said, 4: said, 5: said }),
  summarizedTurns: fc.constantFrom(0, 2),
  summary: fc.constantFrom("", "독자는 단가를 물었다.", "독자는 연차를 물었다."),
  facts: fc.array(said, { maxLength: 2 }),
  pending: fc.array(said, { maxLength: 1 }),
});
/** Half of them are as they were said, so that there is something to hit. */
const stored = fc.tuple(any, fc.boolean()).map(([kept, isWhole]): Stored => {
  if (!isWhole) return kept;
  const whole = kept.turns.map((turn) => ({ ...turn, short: false }));
  return { ...kept, turns: whole, summarizedTurns: 0, summary: "", facts: [] };
});
/** Two that differ in one thing at most. */
const pair = fc
  .tuple(
    stored,
    stored,
    fc.constantFrom<keyof Stored>("turns", "originals", "summarizedTurns", "summary", "facts", "pending"),
  )
  .map(([one, other, differing]): [Stored, Stored] => [one, { ...one, [differing]: other[differing] }]);

/** Two that differ in the table that a shortened turn refers to. */
function ofOriginals(...tables: [string, string]): [Stored, Stored] {
  const short = { question: "단가를 알려 주세요.", answer: "[table, 9 rows: turn 1; 품목 단가]", short: true };
  const kept = { turns: [short], summarizedTurns: 0, summary: "", facts: [], pending: [] };
  const [one, other] = tables.map((table): Stored => ({ ...kept, originals: { 1: table } }));
  return [one as Stored, other as Stored];
}

function turnOf(number: number, words: Pick<Turn, "question" | "answer" | "short">): Turn {
  return { requestId: `r${number}`, number, query: "", status: "complete", tokens: 20, at: "", ...words };
}

/** A model that answers by the whole of its prompt alone. */
const echoing = modelOf(async function* ({ messages }) {
  yield { type: "text", text: createHash("sha256").update(JSON.stringify(messages)).digest("hex") };
  yield { type: "end", finishReason: "stop" };
});

function stagesOf(kept: Stored, cache: Stages["cache"]): Stages {
  const { summarizedTurns, summary, facts } = kept;
  const shown = kept.turns.map((words, i) => turnOf(summarizedTurns + 1 + i, words));
  const original = (number: number) =>
    turnOf(number, { question: "단가를 알려 주세요.", answer: kept.originals[number] ?? "", short: false });
  const entities = facts.map((note): Entity => ({ name: "reader", note, turn: 1 }));
  const pending = kept.pending.map(
    (question, i): PendingTurn => ({ requestId: `p${i}`, question, status: "pending", at: "" }),
  );
  const session: Session = {
    ...emptySession("any"),
    version: 1,
    turns: shown,
    turnCount: summarizedTurns + shown.length,
    summarizedTurns,
    summary,
    entities,
    pending,
    recall: { model: "fake", upTo: summarizedTurns },
  };
  const sessions = withSessions({
    begin: async (_scope, id) => ({ session: { ...session, id }, recorded: Promise.resolve() }),
    load: async (_scope, id) => ({ ...session, id }),
    recall: async () => Array.from({ length: summarizedTurns }, (_, i) => ({ number: i + 1, score: 1 })),
    turns: async (_scope, _id, numbers) => numbers.map(original),
  });
  return fakeStages({ ...sessions, cache, model: echoing, settings: { limitsMs: {} } });
}

test("whatever two conversations differ in, neither gets an answer to another prompt than its own", async () => {
  const seen = { prompts: new Set<string>(), hits: 0 };
  await fc.assert(
    fc.asyncProperty(pair, fc.boolean(), async ([one, other], isSameId) => {
      const cache = memoryCache();
      await askAll(stagesOf(one, cache), questionOf({ question: QUESTION, sessionId: "one" }));
      const sessionId = isSameId ? "one" : "other";
      const found = await askAll(stagesOf(other, cache), questionOf({ question: QUESTION, sessionId }));
      const own = await askAll(stagesOf(other, null), questionOf({ question: QUESTION, sessionId }));
      expect(found.text).toBe(own.text);
      seen.prompts.add(own.text);
      if (endOf(found.last).cached) seen.hits++;
    }),
    { numRuns: 300, examples: [[ofOriginals("연차 단가는 100원입니다.", "연차 단가는 999원입니다."), true]] },
  );
  expect(seen.prompts.size).toBeGreaterThan(30);
  expect(seen.hits).toBeGreaterThan(10);
});

test("nor with a history that the client keeps, however long", async () => {
  const history = fc
    .array(said, { maxLength: 40 })
    .map((all) => all.map((content, i): Message => ({ role: i % 2 === 0 ? "user" : "assistant", content })));
  const changed = fc.tuple(history, fc.nat(), said).map(([before, at, content]): [Message[], Message[]] => {
    const after = before.map((message, i) => (i === at % before.length ? { ...message, content } : message));
    return [before, after];
  });
  await fc.assert(
    fc.asyncProperty(changed, async ([before, after]) => {
      const base = { model: echoing, settings: { limitsMs: {}, rawTurns: 2 } };
      const stages = fakeStages({ ...base, cache: memoryCache() });
      const question = (messages: Message[]) => questionOf({ question: QUESTION, history: messages });
      await askAll(stages, question(before));
      const own = await askAll(fakeStages(base), question(after));
      expect((await askAll(stages, question(after))).text).toBe(own.text);
      expect(endOf((await askAll(stages, question(before))).last).cached).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test("a conversation's first question shares its answer with all others'", async () => {
  const nothing = { turns: [], originals: {}, summarizedTurns: 0, summary: "", facts: [], pending: [] };
  const stages = stagesOf(nothing, memoryCache());
  await askAll(stages, questionOf({ sessionId: "one" }));
  expect((await askAll(stages, questionOf({ sessionId: "other" }))).last).toMatchObject({ cached: true });
  expect((await askAll(stages, questionOf({ history: [] }))).last).toMatchObject({ cached: true });
});
