import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { openRedisSessionStore } from "../../src/adapters/session-store/redis.ts";
import { createSqliteSessionStore } from "../../src/adapters/session-store/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import type { SessionStore } from "../../src/ports/session-store.ts";
import type { TurnStatus } from "../../src/types.ts";
import { call, SCOPE } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { redisMissing, redisOptions, startRedis } from "../support/redis.ts";
import { begin, turn } from "../support/sessions.ts";

const REQUESTS = 5;
let made = 0;

/** What one of several clients does next, to the turn of one request id. */
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("begin" as const), request: fc.nat(REQUESTS - 1) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("finish" as const),
      request: fc.nat(REQUESTS - 1),
      status: fc.constantFrom<TurnStatus>("complete", "complete", "interrupted", "failed"),
      tokens: fc.nat(50),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("compact" as const), lag: fc.nat(3) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

interface Model {
  readonly pending: Set<string>;
  readonly turns: { requestId: string; status: TurnStatus; tokens: number }[];
  /** Versions that were seen, and how many replacements had happened at each. */
  readonly seen: { version: number; replacements: number }[];
  replacements: number;
  summarized: number;
}

/** The same session as it should be, step for step. */
async function play(store: SessionStore, id: string, steps: readonly Step[]): Promise<void> {
  const model: Model = { pending: new Set(), turns: [], seen: [], replacements: 0, summarized: 0 };
  for (const next of steps) {
    await take(store, id, next, model);
    const session = await store.load(SCOPE, id, 100, call());
    model.seen.push({ version: session.version, replacements: model.replacements });
    const all = await store.turns(
      SCOPE,
      id,
      model.turns.map((_, i) => i + 1),
      call(),
    );
    expect(all.map(({ requestId, status, tokens }) => ({ requestId, status, tokens }))).toEqual(model.turns);
    expect(session.turns.map(({ number }) => number)).toEqual(model.turns.map((_, i) => i + 1).slice(model.summarized));
    expect(session.turnCount).toBe(model.turns.length);
    expect(session.totalTokens).toBe(model.turns.reduce((sum, { tokens }) => sum + tokens, 0));
    expect(session.pending.map(({ requestId }) => requestId).toSorted()).toEqual([...model.pending].toSorted());
  }
}

async function take(store: SessionStore, id: string, next: Step, model: Model): Promise<void> {
  if (next.do === "compact") {
    const read = model.seen.at(-1 - next.lag);
    if (!read) return;
    const summarizedTurns = Math.max(model.summarized, Math.floor(model.turns.length / 2));
    const done = await store.replace(SCOPE, id, read.version, { summary: "요약", summarizedTurns }, call());
    expect(done).toBe(read.version > 0 && read.replacements === model.replacements);
    if (!done) return;
    model.replacements++;
    model.summarized = summarizedTurns;
    return;
  }
  const requestId = `r${next.request}`;
  const stored = model.turns.find((one) => one.requestId === requestId);
  if (next.do === "begin") {
    await begin(store, id, { requestId, question: "질문" });
    if (!stored) model.pending.add(requestId);
    return;
  }
  const { status, tokens } = next;
  const finished = store.finish(SCOPE, id, turn({ requestId, status, tokens }), call());
  if (!stored && !model.pending.has(requestId)) {
    await expect(finished).rejects.toMatchObject({ code: "not_found" });
    return;
  }
  await finished;
  model.pending.delete(requestId);
  if (!stored) model.turns.push({ requestId, status, tokens });
  else if (stored.status !== "complete" && status === "complete") {
    Object.assign(stored, { status, tokens });
    model.replacements++;
  }
}

/** Several clients at once, each asking and finishing its own questions: nothing is lost, doubled or miscounted. */
async function race(store: SessionStore, id: string, clients: readonly (readonly TurnStatus[])[]): Promise<void> {
  const ended: string[] = [];
  await Promise.all(
    clients.map(async (statuses, client) => {
      for (const [i, status] of statuses.entries()) {
        const one = turn({ requestId: `${client}-${i}`, status, tokens: 1 });
        await begin(store, id, one);
        await Promise.all([store.finish(SCOPE, id, one, call()), store.finish(SCOPE, id, one, call())]);
        ended.push(one.requestId);
        const { version, turnCount } = await store.load(SCOPE, id, 1, call());
        await store.replace(SCOPE, id, version, { summarizedTurns: turnCount - 1 }, call());
      }
    }),
  );
  const all = await store.turns(
    SCOPE,
    id,
    ended.map((_, i) => i + 1),
    call(),
  );
  expect(all.map(({ requestId }) => requestId).toSorted()).toEqual(ended.toSorted());
  const { turnCount, totalTokens, pending } = await store.load(SCOPE, id, 100, call());
  expect({ turnCount, totalTokens, pending }).toEqual({
    turnCount: ended.length,
    totalTokens: ended.length,
    pending: [],
  });
}

function interleavings(name: string, open: () => Promise<{ store: SessionStore; close(): Promise<void> }>): void {
  describe(`interleavings: ${name}`, () => {
    const opened = open();
    afterAll(async () => (await opened).close());

    test("any order of beginning, finishing and compacting ends as it should", { timeout: 120_000 }, async () => {
      const { store } = await opened;
      const steps = fc.array(step, { minLength: 1, maxLength: 14 });
      await fc.assert(
        fc.asyncProperty(steps, (all) => play(store, `play-${++made}`, all)),
        { numRuns: 40 },
      );
    });

    test("clients at once lose nothing and double nothing", { timeout: 120_000 }, async () => {
      const { store } = await opened;
      const statuses = fc.array(fc.constantFrom<TurnStatus>("complete", "interrupted", "failed"), { maxLength: 5 });
      await fc.assert(
        fc.asyncProperty(fc.array(statuses, { minLength: 2, maxLength: 5 }), (all) =>
          race(store, `race-${++made}`, all),
        ),
        { numRuns: 20 },
      );
    });
  });
}

interleavings("sqlite", async () => {
  const folder = temporaryFolder();
  const database = Database.open(folder.file("sessions.db"));
  return {
    store: createSqliteSessionStore(database, { leaseMs: 60_000, pendingMax: 64 }),
    async close() {
      await database.close();
      folder.remove();
    },
  };
});

if (redisMissing) test.skip(`interleavings: redis (${redisMissing})`, () => undefined);
else {
  interleavings("redis", async () => {
    const server = await startRedis();
    const store = await openRedisSessionStore(redisOptions(server.url));
    return {
      store,
      async close() {
        await store.close?.();
        await server.close();
      },
    };
  });
}
