import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compact } from "../../src/pipeline/compact.ts";
import type { SessionChange } from "../../src/ports/session-store.ts";
import type { Session, Turn } from "../../src/types.ts";
import { call } from "../support/calls.ts";
import { emptySession, fakeStages, questionOf } from "../support/stages.ts";

interface Change {
  readonly version: number;
  readonly summary: string;
  readonly summarizedTurns: number;
  readonly recall?: NonNullable<SessionChange["recall"]>;
}

/** Compacts such a session. @returns what was committed, or null */
async function compacted(change: Partial<Session>, { commits = true, history = false } = {}) {
  const turns = change.turns ?? [];
  const session: Session = { ...emptySession("s"), version: 7, turnCount: turns.length, ...change };
  const changes: Change[] = [];
  const base = fakeStages();
  const stages = {
    ...base,
    sessions: {
      ...base.sessions,
      load: async (_scope: unknown, _id: string, turnsMax: number) => ({ ...session, turns: turns.slice(-turnsMax) }),
      turns: async (_scope: unknown, _id: string, numbers: readonly number[]) =>
        numbers.flatMap((n) => turns.find(({ number }) => number === n) ?? turnsOf(n).slice(-1)),
      replace: async (_scope: unknown, _id: string, version: number, to: Omit<Change, "version">) => {
        changes.push({ version, ...to });
        return commits;
      },
    },
  };
  const done = await compact(stages, questionOf({ history: history ? [] : null }), call());
  return { done, change: changes[0] ?? null };
}

function turnsOf(count: number, tokens = 10, words = "질문"): Turn[] {
  return Array.from({ length: count }, (_, i) => {
    const question = `${words} ${i}`;
    return {
      number: i + 1,
      short: false,
      requestId: `${i}`,
      question,
      query: question,
      answer: `답 ${i}`,
      status: "complete",
      tokens,
      at: "",
    };
  });
}

describe("compaction (6 raw turns, a history budget of 2,970 tokens)", () => {
  test("a short conversation stays as it is", async () => {
    for (const turns of [[], turnsOf(1), turnsOf(12)]) {
      expect(await compacted({ turns })).toEqual({ done: false, change: null });
    }
  });

  test("more than twice the raw turns: the latest six stay, the others are a line each", async () => {
    const { done, change } = await compacted({ turns: turnsOf(13) });
    expect(done).toBe(true);
    expect(change).toMatchObject({ version: 7, summarizedTurns: 7 });
    const lines = change?.summary.split("\n") ?? [];
    expect(lines).toHaveLength(7);
    expect(lines[0]).toContain("질문 0");
    expect(lines[0]).toContain("답 0");
    expect(change?.summary).not.toContain("질문 7");
  });

  test("few turns that are too long: shrinks below the target, and at least two stay raw", async () => {
    const { change } = await compacted({ turns: turnsOf(8, 300) });
    expect(change?.summarizedTurns).toBe(6);
    expect((await compacted({ turns: turnsOf(4, 2000) })).change?.summarizedTurns).toBe(2);
    expect(await compacted({ turns: turnsOf(7, 300) })).toMatchObject({ done: false });
  });

  test("an earlier summary is carried on, and counted on", async () => {
    const { change } = await compacted({
      turns: turnsOf(13),
      summary: "앞선 이야기",
      summarizedTurns: 20,
      turnCount: 33,
    });
    expect(change?.summarizedTurns).toBe(27);
    expect(change?.summary.startsWith("앞선 이야기\n")).toBe(true);
  });

  test("turns that are summarised are embedded, once; by another model the older ones too", async () => {
    const embedded = async (recall: Session["recall"]) => {
      const { change } = await compacted({ turns: turnsOf(20).slice(4), turnCount: 20, summarizedTurns: 4, recall });
      return [change?.recall?.model, change?.recall?.vectors.map(({ number }) => number)];
    };
    const moved = Array.from({ length: 10 }, (_, i) => 5 + i);
    expect(await embedded({ model: "fake", upTo: 4 })).toEqual(["fake", moved]);
    expect(await embedded({ model: "another", upTo: 4 })).toEqual(["fake", [1, 2, 3, 4, ...moved]]);
  });

  test("who was overtaken changes nothing, and says so", async () => {
    expect((await compacted({ turns: turnsOf(13) }, { commits: false })).done).toBe(false);
  });

  test("history that the client keeps is left alone", async () => {
    expect(await compacted({ turns: turnsOf(13) }, { history: true })).toEqual({ done: false, change: null });
  });

  test("the summary is bounded, keeps the newest, and halves no character", async () => {
    const words = fc.string({ unit: fc.constantFrom("🏝️", "😀", "가", "a", " ", "\n"), minLength: 100, maxLength: 400 });
    const property = fc.asyncProperty(words, fc.string({ unit: "grapheme", maxLength: 50 }), async (text, summary) => {
      const { change } = await compacted({ turns: turnsOf(30, 10, text), summary });
      expect(change?.summary.length).toBeLessThanOrEqual(1300);
      expect(change?.summary.isWellFormed()).toBe(true);
      expect(change?.summary).toContain("답 23");
    });
    await fc.assert(property, { numRuns: 60 });
  });
});
