import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { openRedisSessionStore } from "../../src/adapters/session-store/redis.ts";
import { createSqliteSessionStore } from "../../src/adapters/session-store/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { compact } from "../../src/pipeline/compact.ts";
import type { Stages } from "../../src/pipeline/stages.ts";
import type { SessionStore } from "../../src/ports/session-store.ts";
import { call, SCOPE } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { redisMissing, redisOptions, startRedis } from "../support/redis.ts";
import { append, turn } from "../support/sessions.ts";
import { fakeStages, modelOf, questionOf, SETTINGS } from "../support/stages.ts";

interface Instances {
  readonly stores: readonly [SessionStore, SessionStore];
  close(): Promise<void>;
}

const round = fc.record({
  /** Turns said before both instances compact, and while they do. */
  before: fc.integer({ min: 0, max: 40 }),
  meanwhile: fc.integer({ min: 0, max: 8 }),
  characters: fc.constantFrom(5, 60, 700),
});
type Round = typeof round extends fc.Arbitrary<infer T> ? T : never;
let made = 0;

function stagesOver(sessions: SessionStore): Stages {
  return { ...fakeStages({ settings: { limitsMs: {} } }), sessions };
}

/** Two instances compact one conversation at once while it goes on. */
async function together([a, b]: Instances["stores"], rounds: readonly Round[]): Promise<void> {
  const id = `together-${++made}`;
  const said: string[] = [];
  const say = async (store: SessionStore, characters: number) => {
    const answer = `답 ${"가".repeat(characters)}.`;
    const one = turn({ question: `질문 ${said.length}`, answer, tokens: answer.length });
    said.push(one.requestId);
    await append(store, id, one);
  };
  const question = questionOf({ sessionId: id });
  for (const { before, meanwhile, characters } of rounds) {
    for (let i = 0; i < before; i++) await say(i % 2 === 0 ? a : b, characters);
    const saying = async () => {
      for (let i = 0; i < meanwhile; i++) await say(b, characters);
    };
    await Promise.all([compact(stagesOver(a), question, call()), compact(stagesOver(b), question, call()), saying()]);
    await check(a, id, said);
  }
}

/** Every turn can be read as it was said; what the summary stands for can be recalled, and all that follows is shown. */
async function check(store: SessionStore, id: string, said: readonly string[]): Promise<void> {
  const { turnCount, summarizedTurns, turns, summary, pending } = await store.load(SCOPE, id, 1000, call());
  expect({ turnCount, pending }).toEqual({ turnCount: said.length, pending: [] });
  const numbers = said.map((_, i) => i + 1);
  const originals = await store.turns(SCOPE, id, numbers, call());
  expect(originals.map(({ requestId }) => requestId)).toEqual(said);
  expect(turns.map(({ number }) => number)).toEqual(numbers.slice(summarizedTurns));
  expect(summarizedTurns).toBeLessThanOrEqual(Math.max(0, turnCount - 2));
  expect(summary === "").toBe(summarizedTurns === 0);
  const query = { model: "fake", vector: new Float32Array([1, 0]), limit: 10_000 };
  const recalled = (await store.recall(SCOPE, id, query, call())).map(({ number }) => number);
  expect(recalled.toSorted((x, y) => x - y)).toEqual(expect.arrayContaining(numbers.slice(0, summarizedTurns)));
}

function suite(name: string, open: () => Promise<Instances>): void {
  describe(name, () => {
    const opened = open();
    afterAll(async () => (await opened).close());

    test("two instances compact one conversation while it goes on: no turn is lost", { timeout: 120_000 }, async () => {
      const { stores } = await opened;
      const property = fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 3 }), (rounds) =>
        together(stores, rounds),
      );
      await fc.assert(property, { numRuns: 12, endOnFailure: true });
    });

    test("a long backlog is worked off, and the conversation is short again", async () => {
      const { stores } = await opened;
      const id = `backlog-${++made}`;
      for (let i = 0; i < 150; i++) await append(stores[0], id, turn({ tokens: 20 }));
      const question = questionOf({ sessionId: id });
      for (let i = 0; i < 4; i++)
        await Promise.all(stores.map((store) => compact(stagesOver(store), question, call())));
      const { summarizedTurns, turns } = await stores[1].load(SCOPE, id, 1000, call());
      expect(turns.length).toBeLessThanOrEqual(2 * SETTINGS.rawTurns);
      expect(summarizedTurns + turns.length).toBe(150);
    });

    test("a conversation that goes on is compacted once in so many turns as then stay", async () => {
      const { stores } = await opened;
      const id = `growing-${++made}`;
      const summarized = [0];
      for (let i = 0; i < 40; i++) {
        await append(stores[0], id, turn());
        await compact(stagesOver(stores[0]), questionOf({ sessionId: id }), call());
        const session = await stores[0].load(SCOPE, id, 1, call());
        if (session.summarizedTurns !== summarized.at(-1)) summarized.push(session.summarizedTurns);
      }
      expect(SETTINGS.rawTurns).toBe(6);
      expect(summarized).toEqual([0, 7, 14, 21, 28]);
    });

    test("with another embedder the latest summarized turns are embedded anew, and found", async () => {
      const { stores } = await opened;
      const id = `embedder-${++made}`;
      const question = questionOf({ sessionId: id });
      const compactBy = (model: string) => {
        const stages = stagesOver(stores[0]);
        return compact({ ...stages, embedder: { ...stages.embedder, model } }, question, call());
      };
      for (let i = 0; i < 40; i++) await append(stores[0], id, turn());
      await compactBy("fake");
      for (let i = 0; i < 60; i++) await append(stores[0], id, turn());
      for (let i = 0; i < 2; i++) await compactBy("other");
      const query = { model: "other", vector: new Float32Array([1, 0]), limit: 1000 };
      const numbers = (await stores[0].recall(SCOPE, id, query, call())).map(({ number }) => number);
      expect(numbers.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 94 }, (_, i) => i + 1));
    });

    test("where turns cannot be embedded no summary is asked for", async () => {
      const { stores } = await opened;
      const id = `unembedded-${++made}`;
      for (let i = 0; i < 13; i++) await append(stores[0], id, turn());
      let asked = 0;
      const model = modelOf(async function* () {
        asked++;
        yield { type: "text", text: "SUMMARY: 연차.\nFACTS:" };
        yield { type: "end", finishReason: "stop" };
      });
      const stages = { ...stagesOver(stores[0]), instructed: model };
      const question = questionOf({ sessionId: id });
      const embedder = { ...stages.embedder, embed: () => Promise.reject(new Error("away")) };
      await expect(compact({ ...stages, embedder }, question, call())).rejects.toThrow("away");
      expect(asked).toBe(0);
      expect(await compact(stages, question, call())).toBe(true);
      expect(asked).toBe(1);
    });
  });
}

suite("compacting in sqlite", async () => {
  const folder = temporaryFolder();
  const databases = [Database.open(folder.file("s.db")), Database.open(folder.file("s.db"))] as const;
  const limits = { leaseMs: 60_000, pendingMax: 64 };
  return {
    stores: [createSqliteSessionStore(databases[0], limits), createSqliteSessionStore(databases[1], limits)],
    async close() {
      for (const database of databases) await database.close();
      folder.remove();
    },
  };
});

if (redisMissing) test.skip(`compacting in redis (${redisMissing})`, () => undefined);
else {
  suite("compacting in redis", async () => {
    const server = await startRedis();
    const stores = [
      await openRedisSessionStore(redisOptions(server.url)),
      await openRedisSessionStore(redisOptions(server.url)),
    ] as const;
    return {
      stores,
      async close() {
        for (const store of stores) await store.close?.();
        await server.close();
      },
    };
  });
}
