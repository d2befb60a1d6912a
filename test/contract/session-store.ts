import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SessionStore } from "../../src/ports/session-store.ts";
import type { Turn } from "../../src/types.ts";
import { call, SCOPE, scope } from "../support/calls.ts";

export interface OpenedSessionStore {
  readonly store: SessionStore;
  close(): Promise<void>;
}

let made = 0;

export function turn(change: Partial<Turn> = {}): Turn {
  const requestId = `request-${++made}`;
  const words = { question: "연차는 며칠인가요?", query: "연차 일수", answer: "15일입니다 [1]." };
  return { requestId, ...words, status: "complete", tokens: 12, at: "2025-03-01T09:00:00.000Z", ...change };
}

/** The numbered rules of `ports/session-store.ts`. */
export function sessionStoreContract(name: string, open: () => Promise<OpenedSessionStore>): void {
  describe(`session store: ${name}`, () => {
    let opened: OpenedSessionStore;
    let store: SessionStore;
    const freshId = () => `session-${++made}`;

    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });
    afterAll(() => opened.close());

    test("1: an unknown id loads as an empty session of version 0, again and again", async () => {
      const id = freshId();
      const empty = { id, version: 0, summary: "", summarizedTurns: 0, turns: [], turnCount: 0, totalTokens: 0 };
      expect(await store.load(SCOPE, id, 10, call())).toEqual(empty);
      expect(await store.load(SCOPE, id, 10, call())).toEqual(empty);
      expect(await store.delete(SCOPE, id, call())).toBe(false);
    });

    test("keeps every field of a turn, whatever it holds", async () => {
      const id = freshId();
      const kept = [
        turn({
          question: "퇴직금은 언제 지급되나요? 🏝️",
          answer: '‘14일’ 안에\n"지급"; DROP TABLE turns;--',
          tokens: 31,
        }),
        turn({ status: "interrupted", answer: "" }),
        turn({ status: "failed", answer: "끝나지 않은 답" }),
      ];
      for (const one of kept) await store.append(SCOPE, id, one, call());
      const session = await store.load(SCOPE, id, 10, call());
      expect(session.turns).toEqual(kept);
      expect(session).toMatchObject({ id, turnCount: 3, totalTokens: 31 + 12 + 12, summary: "", summarizedTurns: 0 });
    });

    test("2: appending the same request id again changes nothing, not even the version", async () => {
      const id = freshId();
      const first = turn();
      await store.append(SCOPE, id, first, call());
      const before = await store.load(SCOPE, id, 10, call());
      await store.append(SCOPE, id, { ...first, answer: "something else", tokens: 99 }, call());
      expect(await store.load(SCOPE, id, 10, call())).toEqual(before);
    });

    test("2: turns appended at once all survive, each once, and the counts agree", async () => {
      const id = freshId();
      const turns = Array.from({ length: 24 }, () => turn({ tokens: 3 }));
      const twice = [...turns, ...turns];
      await Promise.all(twice.map((one) => store.append(SCOPE, id, one, call())));
      const session = await store.load(SCOPE, id, 100, call());
      expect(session.turns.map(({ requestId }) => requestId).toSorted()).toEqual(
        turns.map(({ requestId }) => requestId).toSorted(),
      );
      expect(session).toMatchObject({ turnCount: 24, totalTokens: 72 });
    });

    test("the same request id may be in two sessions", async () => {
      const [a, b] = [freshId(), freshId()];
      const shared = turn();
      await store.append(SCOPE, a, shared, call());
      await store.append(SCOPE, b, shared, call());
      expect((await store.load(SCOPE, a, 10, call())).turns).toEqual([shared]);
      expect((await store.load(SCOPE, b, 10, call())).turns).toEqual([shared]);
    });

    test("turnsMax reads the latest turns, oldest first; the counts are of all", async () => {
      const id = freshId();
      const turns = Array.from({ length: 7 }, () => turn());
      for (const one of turns) await store.append(SCOPE, id, one, call());
      const session = await store.load(SCOPE, id, 3, call());
      expect(session.turns).toEqual(turns.slice(-3));
      expect(session.turnCount).toBe(7);
    });

    test("3: replace commits at the version it was read at, and only there", async () => {
      const id = freshId();
      const turns = Array.from({ length: 4 }, () => turn());
      for (const one of turns) await store.append(SCOPE, id, one, call());
      const { version } = await store.load(SCOPE, id, 10, call());
      const change = { summary: "연차와 퇴직금을 물었다.", summarizedTurns: 2 };
      expect(await store.replace(SCOPE, id, version, change, call())).toBe(true);
      const shrunk = await store.load(SCOPE, id, 10, call());
      expect(shrunk).toMatchObject({ ...change, turnCount: 4, totalTokens: 48 });
      expect(shrunk.turns).toEqual(turns.slice(2));
      expect(shrunk.version).toBeGreaterThan(version);

      expect(await store.replace(SCOPE, id, version, { summary: "late", summarizedTurns: 3 }, call())).toBe(false);
      expect(await store.load(SCOPE, id, 10, call())).toEqual(shrunk);
    });

    test("3: a turn appended meanwhile makes replace give way", async () => {
      const id = freshId();
      await store.append(SCOPE, id, turn(), call());
      const { version } = await store.load(SCOPE, id, 10, call());
      await store.append(SCOPE, id, turn(), call());
      expect(await store.replace(SCOPE, id, version, { summary: "x", summarizedTurns: 1 }, call())).toBe(false);
      expect((await store.load(SCOPE, id, 10, call())).turns).toHaveLength(2);
    });

    test("3: of many who replace at once exactly one wins", async () => {
      const id = freshId();
      await store.append(SCOPE, id, turn(), call());
      const { version } = await store.load(SCOPE, id, 10, call());
      const results = await Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          store.replace(SCOPE, id, version, { summary: `from ${i}`, summarizedTurns: 1 }, call()),
        ),
      );
      expect(results.filter(Boolean)).toHaveLength(1);
      expect((await store.load(SCOPE, id, 10, call())).summary).toBe(`from ${results.indexOf(true)}`);
    });

    test("3: replace creates no session", async () => {
      const id = freshId();
      expect(await store.replace(SCOPE, id, 0, { summary: "x", summarizedTurns: 0 }, call())).toBe(false);
      expect((await store.load(SCOPE, id, 10, call())).version).toBe(0);
    });

    test.each([
      ["tenant", scope({ tenant: "other" })],
      ["collection", scope({ collection: "other" })],
    ])("4: the same id in another %s is another session", async (_, elsewhere) => {
      const id = freshId();
      await store.append(SCOPE, id, turn(), call());
      const { version } = await store.load(SCOPE, id, 10, call());
      expect((await store.load(elsewhere, id, 10, call())).version).toBe(0);
      expect(await store.replace(elsewhere, id, version, { summary: "x", summarizedTurns: 1 }, call())).toBe(false);
      expect(await store.delete(elsewhere, id, call())).toBe(false);
      const theirs = turn();
      await store.append(elsewhere, id, theirs, call());
      expect((await store.load(SCOPE, id, 10, call())).turns).not.toContainEqual(theirs);
    });

    test("a deleted session is gone with its turns, and its id may begin anew", async () => {
      const id = freshId();
      const first = turn();
      await store.append(SCOPE, id, first, call());
      expect(await store.delete(SCOPE, id, call())).toBe(true);
      expect(await store.load(SCOPE, id, 10, call())).toMatchObject({ version: 0, turns: [] });
      await store.append(SCOPE, id, first, call());
      expect(await store.load(SCOPE, id, 10, call())).toMatchObject({ turnCount: 1, turns: [first] });
    });
  });
}
