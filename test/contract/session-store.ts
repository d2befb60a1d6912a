import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SessionStore } from "../../src/ports/session-store.ts";
import type { FinishedTurn, Turn } from "../../src/types.ts";
import { call, SCOPE, scope, sleep, until } from "../support/calls.ts";
import { append, begin, turn, vectorOf } from "../support/sessions.ts";
import { sessionReadersContract } from "./session-readers.ts";

export interface OpenedSessionStore {
  /** With a lease of `LEASE_MS` and room for `PENDING_MAX` pending questions. */
  readonly store: SessionStore;
  /** Whether it takes any from now on: what is begun and finished else fails as on a full disk. */
  takesWrites(does: boolean): Promise<void>;
  /** Another one over the same sessions, which forgets them sooner. */
  forgetting(ttlMs: number): Promise<SessionStore>;
  close(): Promise<void>;
}

export const LEASE_MS = 700;
export const PENDING_MAX = 30;
let made = 0;

/** As turns are given back: numbered from `first`, in their original form. */
export function numbered(turns: readonly FinishedTurn[], first = 1): Turn[] {
  return turns.map((one, i) => ({ ...one, number: first + i, short: false }));
}

/** The numbered rules of `ports/session-store.ts`. */
export function sessionStoreContract(name: string, open: () => Promise<OpenedSessionStore>): void {
  describe(`session store: ${name}`, () => {
    let opened: OpenedSessionStore;
    let store: SessionStore;
    const freshId = () => `session-${++made}`;
    const load = (id: string, turnsMax = 100) => store.load(SCOPE, id, turnsMax, call());
    const originals = (id: string, numbers: readonly number[]) => store.turns(SCOPE, id, numbers, call());
    const grown = async (count: number, change: Partial<FinishedTurn> = {}) => {
      const id = freshId();
      const turns = Array.from({ length: count }, () => turn(change));
      for (const one of turns) await append(store, id, one);
      return { id, turns, version: (await load(id)).version };
    };
    /** A question that could not be recorded. @returns whether it is answered all the same */
    const beginRefused = async (id: string, { requestId, question, ...asked }: FinishedTurn, of = SCOPE) => {
      await opened.takesWrites(false);
      try {
        const begun = await store.begin(of, id, { requestId, question, tokens: 5 }, 100, call()).catch((thrown) => {
          expect(thrown).toMatchObject({ retryable: true });
          return null;
        });
        if (begun === null) return false;
        await expect(begun.recorded).rejects.toMatchObject({ retryable: true });
        const finished = store.finish(of, id, { requestId, question, ...asked }, call());
        await expect(finished).rejects.toMatchObject({ retryable: true });
        return true;
      } finally {
        await opened.takesWrites(true);
      }
    };

    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });
    afterAll(() => opened.close());

    test("1: an unknown id loads as an empty session of version 0, again and again", async () => {
      const id = freshId();
      const counts = { version: 0, summarizedTurns: 0, turnCount: 0, totalTokens: 0 };
      const empty = { id, ...counts, summary: "", entities: [], turns: [], pending: [], recall: null };
      expect(await load(id)).toEqual(empty);
      expect(await load(id)).toEqual(empty);
      expect(await originals(id, [1, 2])).toEqual([]);
      expect(await store.delete(SCOPE, id, call())).toBe(false);
    });

    test("2: a question that has begun is pending, and what comes back is the conversation before it", async () => {
      const { id, turns } = await grown(1);
      const asked = turn({ question: "퇴직금은 언제 지급되나요? 🏝️" });
      const before = await begin(store, id, asked);
      expect(before).toMatchObject({ turnCount: 1, turns: numbered(turns), pending: [] });
      const now = await load(id);
      const { requestId, question } = asked;
      expect(now.pending).toEqual([
        { requestId, question, status: "pending", at: expect.stringMatching(/^\d{4}-.*Z$/) },
      ]);
      expect(now).toMatchObject({ turnCount: 1, totalTokens: 12 });
      expect(now.version).toBeGreaterThan(before.version);
      await store.finish(SCOPE, id, asked, call());
      expect(await load(id)).toMatchObject({ pending: [], turns: numbered([...turns, asked]) });
    });

    test("2: beginning again with the same request id changes nothing, before the turn is finished and after", async () => {
      const id = freshId();
      const asked = turn();
      await begin(store, id, asked);
      const pending = await load(id);
      await begin(store, id, { ...asked, question: "another" });
      expect(await load(id)).toEqual(pending);
      await store.finish(SCOPE, id, asked, call());
      const finished = await load(id);
      await begin(store, id, asked);
      expect(await load(id)).toEqual(finished);
    });

    test("2: a question left behind shows as interrupted after its lease, then has a number; finishing it late completes it", async () => {
      const id = freshId();
      const left = turn({ question: "죽은 프로세스의 질문" });
      await begin(store, id, left);
      await until("the lease is over", async () => (await load(id)).pending[0]?.status === "interrupted");
      const next = turn();
      expect(await begin(store, id, next)).toMatchObject({ turnCount: 0, pending: [{ status: "interrupted" }] });
      expect(await load(id)).toMatchObject({
        turnCount: 1,
        totalTokens: 5,
        turns: [
          {
            number: 1,
            requestId: left.requestId,
            question: left.question,
            answer: "",
            status: "interrupted",
            tokens: 5,
          },
        ],
        pending: [{ requestId: next.requestId, status: "pending" }],
      });
      await store.finish(SCOPE, id, next, call());
      await store.finish(SCOPE, id, left, call());
      expect(await load(id)).toMatchObject({
        turnCount: 2,
        totalTokens: 24,
        turns: numbered([left, next]),
        pending: [],
      });
    });

    test("2: a lease that is renewed begins anew; renewing what is not pending does nothing", async () => {
      const id = freshId();
      const asked = turn({ requestId: "물음 %|1" });
      await store.renew(SCOPE, id, asked.requestId, call());
      expect((await load(id)).version).toBe(0);
      await begin(store, id, asked);
      for (let i = 0; i < 4; i++) {
        await sleep(LEASE_MS / 2);
        expect((await load(id)).pending).toMatchObject([{ requestId: asked.requestId, status: "pending" }]);
        await store.renew(SCOPE, id, asked.requestId, call());
      }
      await store.finish(SCOPE, id, asked, call());
      const finished = await load(id);
      await store.renew(SCOPE, id, asked.requestId, call());
      expect(await load(id)).toEqual(finished);
    });

    test("2: no more questions are pending at once than the limit, which is named; those of dead processes make room", async () => {
      const id = freshId();
      const asked = Array.from({ length: PENDING_MAX }, () => turn());
      await Promise.all(asked.map((one) => begin(store, id, one)));
      await expect(begin(store, id, turn())).rejects.toMatchObject({
        code: "rate_limited",
        retryAfterMs: 1000,
        message: expect.stringContaining(`${PENDING_MAX}`),
      });
      expect((await load(id)).pending).toHaveLength(PENDING_MAX);
      await sleep(LEASE_MS);
      await begin(store, id, turn());
      expect(await load(id)).toMatchObject({ turnCount: PENDING_MAX, pending: [{ status: "pending" }] });
    });

    test("2: nor of those that begin at the same time in a new session", async () => {
      const id = freshId();
      const asked = Array.from({ length: 3 * PENDING_MAX }, () => turn());
      const begun = await Promise.allSettled(
        asked.map(({ requestId, question, tokens }) =>
          store.begin(SCOPE, id, { requestId, question, tokens }, 100, call()),
        ),
      );
      const refused = begun.filter((one) => one.status === "rejected");
      for (const { reason } of refused) expect(reason).toMatchObject({ code: "rate_limited" });
      await Promise.all(begun.map((one) => one.status === "fulfilled" && one.value.recorded));
      expect(refused).toHaveLength(2 * PENDING_MAX);
      expect((await load(id)).pending).toHaveLength(PENDING_MAX);
      for (const [i, one] of asked.entries()) {
        if (begun[i]?.status === "fulfilled") await store.finish(SCOPE, id, one, call());
      }
      await begin(store, id, turn());
    });

    test("3: keeps every field of a turn, whatever it holds", async () => {
      const id = freshId();
      const kept = [
        turn({
          question: "퇴직금은 언제 지급되나요? 🏝️",
          answer: '‘14일’ 안에\n"지급"|x; DROP TABLE turns;--',
          tokens: 31,
        }),
        turn({ status: "interrupted", answer: "", requestId: "한 글 \n|%20 {a}" }),
        turn({ status: "failed", answer: "끝나지 않은 답" }),
      ];
      for (const one of kept) await append(store, id, one);
      const session = await load(id);
      expect(session.turns).toEqual(numbered(kept));
      expect(session).toMatchObject({ id, turnCount: 3, totalTokens: 31 + 12 + 12, summary: "", summarizedTurns: 0 });
    });

    test("3: turns stand in order of completion", async () => {
      const id = freshId();
      const [a, b, c] = [turn(), turn(), turn()];
      for (const one of [a, b, c]) await begin(store, id, one);
      for (const one of [b, c, a]) await store.finish(SCOPE, id, one, call());
      expect((await load(id)).turns).toEqual(numbered([b, c, a]));
    });

    test("3: finishing the same request id again changes nothing, not even the version", async () => {
      const { id, turns } = await grown(1);
      const before = await load(id);
      const again = { ...turn(), requestId: turns[0]?.requestId ?? "", tokens: 99 };
      for (const status of ["complete", "failed", "interrupted"] as const) {
        await store.finish(SCOPE, id, { ...again, status }, call());
      }
      expect(await load(id)).toEqual(before);
    });

    test.each(["interrupted", "failed"] as const)(
      "3: a complete turn replaces one that %s, under its number",
      async (status) => {
        const { id, turns } = await grown(3, { status, tokens: 4 });
        const { version } = await load(id);
        const whole = turn({ requestId: turns[1]?.requestId ?? "", tokens: 40 });
        expect(
          await store.replace(
            SCOPE,
            id,
            version,
            { short: [{ number: 2, question: "q", answer: "a", tokens: 1 }] },
            call(),
          ),
        ).toBe(true);
        await store.finish(SCOPE, id, whole, call());
        const session = await load(id);
        expect(session.turns).toEqual(numbered([turns[0] ?? whole, whole, turns[2] ?? whole]));
        expect(session).toMatchObject({ turnCount: 3, totalTokens: 48 });
      },
    );

    test("3: turns finished at once all survive, each once, and the counts agree", async () => {
      const id = freshId();
      const turns = Array.from({ length: 24 }, () => turn({ tokens: 3 }));
      await Promise.all([...turns, ...turns].map((one) => append(store, id, one)));
      const session = await load(id);
      const ids = (all: readonly FinishedTurn[]) => all.map(({ requestId }) => requestId).toSorted();
      expect(ids(session.turns)).toEqual(ids(turns));
      expect(session.turns.map(({ number }) => number)).toEqual(turns.map((_, i) => i + 1));
      expect(session).toMatchObject({ turnCount: 24, totalTokens: 72, pending: [] });
    });

    test("3: a turn that was never begun is refused, and creates nothing", async () => {
      const id = freshId();
      await expect(store.finish(SCOPE, id, turn(), call())).rejects.toMatchObject({ code: "not_found" });
      expect(await load(id)).toMatchObject({ version: 0 });
    });

    test("3: a turn that the store does not take is refused as retryable, and stored once when it takes writes again", async () => {
      const { id, turns } = await grown(1);
      const asked = turn();
      await begin(store, id, asked);
      await opened.takesWrites(false);
      const refused = expect(store.finish(SCOPE, id, asked, call())).rejects.toMatchObject({ retryable: true });
      await refused.finally(() => opened.takesWrites(true));
      for (let i = 0; i < 2; i++) await store.finish(SCOPE, id, asked, call());
      expect(await load(id)).toMatchObject({ turnCount: 2, totalTokens: 24, turns: numbered([...turns, asked]) });
    });

    test("3: the same request id may be in two sessions", async () => {
      const [a, b] = [freshId(), freshId()];
      const shared = turn();
      await append(store, a, shared);
      await append(store, b, shared);
      expect((await load(a)).turns).toEqual(numbered([shared]));
      expect((await load(b)).turns).toEqual(numbered([shared]));
    });

    test("4: turnsMax reads the latest turns, oldest first; the counts are of all; older ones are read by number", async () => {
      const { id, turns } = await grown(7);
      const session = await load(id, 3);
      expect(session.turns).toEqual(numbered(turns).slice(-3));
      expect(session.turnCount).toBe(7);
      expect(await originals(id, [9, 4, 2, 0, 2])).toEqual([numbered(turns)[1], numbered(turns)[3]]);
      expect(await originals(id, [])).toEqual([]);
    });

    test("4: a short form is shown instead of its turn, whose original can still be read", async () => {
      const { id, turns, version } = await grown(3);
      const form = { number: 2, question: "짧은 질문", answer: "[table, 14 rows: turn 2]", tokens: 3 };
      const absent = { number: 9, question: "", answer: "", tokens: 0 };
      expect(await store.replace(SCOPE, id, version, { short: [form, absent] }, call())).toBe(true);
      const [first, second, third] = numbered(turns);
      const session = await load(id);
      expect(session.turns).toEqual([first, { ...second, ...form, short: true }, third]);
      expect(session).toMatchObject({ totalTokens: 36, turnCount: 3 });
      expect(await originals(id, [1, 2, 3])).toEqual([first, second, third]);
    });

    test("4: a turn keeps what its answer cites and how it ended, also in its short form, and when it is completed late", async () => {
      const id = freshId();
      const place = { passageId: "휴가.md#3", documentId: "휴가.md", title: "휴가 규정 🏝️" };
      const sources = [
        { n: 2, ...place, page: 4, pageEnd: 5, url: "https://example.com/휴가" },
        { n: 5, ...place },
      ];
      const [cut, uncited] = [turn({ status: "interrupted" }), turn()];
      await append(store, id, cut);
      await append(store, id, uncited);
      const cited = { ...cut, status: "complete", finishReason: "length", sources } as const;
      await store.finish(SCOPE, id, cited, call());
      const { version, turns } = await load(id);
      expect(turns).toEqual(numbered([cited, uncited]));
      const form = { number: 1, question: "짧게", answer: "짧게", tokens: 2 };
      await store.replace(SCOPE, id, version, { short: [form] }, call());
      expect((await load(id)).turns[0]).toEqual({ ...cited, ...form, short: true });
      expect(await originals(id, [1, 2])).toEqual(numbered([cited, uncited]));
    });

    test("5: replace commits at the version it was read at, and only there", async () => {
      const { id, turns, version } = await grown(4);
      const entities = [{ name: "김철수", note: "연차 15일 중 3일을 썼다", turn: 2 }];
      const change = { summary: "연차와 퇴직금을 물었다.", summarizedTurns: 2, entities };
      expect(await store.replace(SCOPE, id, version, change, call())).toBe(true);
      const shrunk = await load(id);
      expect(shrunk).toMatchObject({ ...change, turnCount: 4, totalTokens: 48 });
      expect(shrunk.turns).toEqual(numbered(turns).slice(2));
      expect(shrunk.version).toBeGreaterThan(version);
      expect(await originals(id, [1])).toEqual(numbered(turns).slice(0, 1));

      expect(await store.replace(SCOPE, id, version, { summary: "late", summarizedTurns: 3 }, call())).toBe(false);
      expect(await load(id)).toEqual(shrunk);
      expect(await store.replace(SCOPE, id, shrunk.version, { summarizedTurns: 3 }, call())).toBe(true);
      expect(await load(id)).toMatchObject({ summary: change.summary, entities, summarizedTurns: 3 });
    });

    test("5: turns begun and finished meanwhile are kept, and do no harm", async () => {
      const { id, turns, version } = await grown(2);
      const meanwhile = [turn(), turn()];
      for (const one of meanwhile) await append(store, id, one);
      const asked = turn();
      await begin(store, id, asked);
      expect(await store.replace(SCOPE, id, version, { summary: "앞의 둘", summarizedTurns: 2 }, call())).toBe(true);
      const session = await load(id);
      expect(session.turns).toEqual(numbered([...turns, ...meanwhile]).slice(2));
      expect(session.pending).toMatchObject([{ requestId: asked.requestId }]);
    });

    test("5: a turn completed meanwhile under its old number makes replace give way", async () => {
      const { id, turns, version } = await grown(2, { status: "interrupted" });
      await store.finish(SCOPE, id, turn({ requestId: turns[0]?.requestId ?? "" }), call());
      const short = [{ number: 1, question: "", answer: "of what was interrupted", tokens: 1 }];
      expect(await store.replace(SCOPE, id, version, { short }, call())).toBe(false);
    });

    test("5: of many who replace at once exactly one wins", async () => {
      const { id, version } = await grown(1);
      const results = await Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          store.replace(SCOPE, id, version, { summary: `from ${i}`, summarizedTurns: 1 }, call()),
        ),
      );
      expect(results.filter(Boolean)).toHaveLength(1);
      expect((await load(id)).summary).toBe(`from ${results.indexOf(true)}`);
    });

    test("5: replace creates no session, and summarises no more turns than there are", async () => {
      const id = freshId();
      expect(await store.replace(SCOPE, id, 0, { summary: "x", summarizedTurns: 0 }, call())).toBe(false);
      expect((await load(id)).version).toBe(0);
      const two = await grown(2);
      expect(await store.replace(SCOPE, two.id, two.version, { summary: "x", summarizedTurns: 3 }, call())).toBe(false);
      expect(await load(two.id)).toMatchObject({ summary: "", summarizedTurns: 0 });
    });

    test("6: recall gives the nearest turns, best first, of vectors of the same model", async () => {
      const { id, version } = await grown(6);
      const vectors = [1, 2, 3, 4, 5].map((number) => ({ number, vector: vectorOf(number) }));
      const recall = { model: "static/8", vectors: [...vectors, { number: 77, vector: vectorOf(77) }] };
      expect(await store.replace(SCOPE, id, version, { recall }, call())).toBe(true);
      const session = await load(id);
      expect(session.recall).toEqual({ model: "static/8", upTo: 5 });

      const found = await store.recall(SCOPE, id, { model: "static/8", vector: vectorOf(3), limit: 3 }, call());
      const dots = vectors.map(({ number, vector }) => ({ number, score: dot(vector, vectorOf(3)) }));
      const best = dots.sort((a, b) => b.score - a.score).slice(0, 3);
      expect(found.map(({ number }) => number)).toEqual(best.map(({ number }) => number));
      expect(found[0]).toMatchObject({ number: 3, score: expect.closeTo(1, 5) });
      expect(await store.recall(SCOPE, id, { model: "other", vector: vectorOf(3), limit: 3 }, call())).toEqual([]);

      const more = { model: "static/8", vectors: [{ number: 6, vector: vectorOf(6) }] };
      expect(await store.replace(SCOPE, id, session.version, { recall: more }, call())).toBe(true);
      const all = await store.recall(SCOPE, id, { model: "static/8", vector: vectorOf(3), limit: 99 }, call());
      expect(all).toHaveLength(6);
    });

    test("6: vectors of another model drop the former ones", async () => {
      const { id, version } = await grown(3);
      const vectors = [1, 2, 3].map((number) => ({ number, vector: vectorOf(number) }));
      await store.replace(SCOPE, id, version, { recall: { model: "old", vectors } }, call());
      const changed = { model: "new", vectors: [{ number: 1, vector: vectorOf(9, 16) }] };
      expect(await store.replace(SCOPE, id, (await load(id)).version, { recall: changed }, call())).toBe(true);
      expect((await load(id)).recall).toEqual({ model: "new", upTo: 1 });
      const query = { model: "new", vector: vectorOf(9, 16), limit: 9 };
      expect(await store.recall(SCOPE, id, query, call())).toEqual([{ number: 1, score: expect.closeTo(1, 5) }]);
      expect(await store.recall(SCOPE, id, { ...query, model: "old", vector: vectorOf(1) }, call())).toEqual([]);
    });

    test("7: a deleted session is gone with all that belonged to it, and its id may begin anew", async () => {
      const { id, turns, version } = await grown(2);
      const recall = { model: "m", vectors: [{ number: 1, vector: vectorOf(1) }] };
      const short = [{ number: 2, question: "", answer: "kurz", tokens: 1 }];
      await store.replace(SCOPE, id, version, { summary: "요약", summarizedTurns: 1, recall, short }, call());
      const late = turn();
      await begin(store, id, late);
      const last = await load(id);
      expect(await store.delete(SCOPE, id, call())).toBe(true);
      expect(await load(id)).toMatchObject({ version: 0, turns: [], pending: [], summary: "", recall: null });
      expect(await originals(id, [1, 2])).toEqual([]);
      expect(await store.recall(SCOPE, id, { model: "m", vector: vectorOf(1), limit: 5 }, call())).toEqual([]);
      await expect(store.finish(SCOPE, id, late, call())).rejects.toMatchObject({ code: "not_found" });
      expect((await load(id)).version).toBe(0);

      await append(store, id, turns[0] ?? late);
      expect(await load(id)).toMatchObject({ turnCount: 1, turns: numbered(turns.slice(0, 1)), recall: null });
      expect(await store.replace(SCOPE, id, last.version, { summary: "of the former" }, call())).toBe(false);
    });

    test.each([
      ["tenant", scope({ tenant: "other{x}" })],
      ["collection", scope({ collection: "other" })],
      ["user's hands", scope({ user: "kim" })],
      ["tenant and collection, the same joined", scope({ tenant: "acme:hand", collection: "book" })],
    ])("8: the same id in another %s is another session", async (_, elsewhere) => {
      const { id, version } = await grown(1);
      expect((await store.load(elsewhere, id, 10, call())).version).toBe(0);
      expect(await store.turns(elsewhere, id, [1], call())).toEqual([]);
      expect(await store.replace(elsewhere, id, version, { summary: "x", summarizedTurns: 1 }, call())).toBe(false);
      expect(await store.delete(elsewhere, id, call())).toBe(false);
      const theirs = turn();
      await append(store, id, theirs, elsewhere);
      expect((await load(id)).turns.map(({ requestId }) => requestId)).not.toContain(theirs.requestId);
      expect((await store.load(elsewhere, id, 10, call())).turns).toEqual(numbered([theirs]));
    });

    test.each([
      ["in a new session", 0],
      ["after other turns", 2],
    ])(
      "9: a question %s that could not be recorded is refused, or its turn stored whole, once, when writes are taken again",
      async (_, count) => {
        const { id, turns } = await grown(count);
        const before = await load(id);
        const asked = turn();
        const isAnswered = await beginRefused(id, asked);
        expect(await load(id)).toEqual(before);
        if (!isAnswered) {
          await expect(store.finish(SCOPE, id, asked, call())).rejects.toMatchObject({ code: "not_found" });
          expect(await load(id)).toEqual(before);
          return;
        }
        await Promise.all([store.finish(SCOPE, id, asked, call()), store.finish(SCOPE, id, asked, call())]);
        await store.finish(SCOPE, id, asked, call());
        const all = [...turns, asked];
        expect(await load(id)).toMatchObject({
          turnCount: all.length,
          totalTokens: 12 * all.length,
          turns: numbered(all),
          pending: [],
        });
      },
    );

    test("9: what was asked after a question that could not be recorded keeps its own turn", async () => {
      const id = freshId();
      const [refused, next] = [turn(), turn()];
      const isAnswered = await beginRefused(id, refused);
      await append(store, id, next);
      if (isAnswered) await store.finish(SCOPE, id, refused, call());
      expect((await load(id)).turns).toEqual(numbered(isAnswered ? [next, refused] : [next]));
    });

    test.each([
      ["was new", 0],
      ["had turns", 2],
    ])(
      "9: a question that could not be recorded restores nothing of a session that %s and was deleted",
      async (_, count) => {
        const { id } = await grown(count);
        const [refused, next] = [turn(), turn()];
        await beginRefused(id, refused);
        await store.delete(SCOPE, id, call());
        await expect(store.finish(SCOPE, id, refused, call())).rejects.toMatchObject({ code: "not_found" });
        expect((await load(id)).version).toBe(0);
        await append(store, id, next);
        await expect(store.finish(SCOPE, id, refused, call())).rejects.toMatchObject({ code: "not_found" });
        expect((await load(id)).turns).toEqual(numbered([next]));
      },
    );

    test("a forgotten conversation gives out nothing: no turn, and none by its meaning", async () => {
      const ttlMs = 500;
      const [id, brief] = [freshId(), await opened.forgetting(ttlMs)];
      await append(brief, id, turn({ at: new Date().toISOString() }));
      const { version } = await brief.load(SCOPE, id, 10, call());
      const vector = vectorOf(1);
      const recall = { model: "static/8", vectors: [{ number: 1, vector }] };
      expect(await brief.replace(SCOPE, id, version, { recall }, call())).toBe(true);
      await sleep(ttlMs + 50);
      const nearest = brief.recall(SCOPE, id, { model: "static/8", vector, limit: 5 }, call());
      expect(await Promise.all([nearest, brief.turns(SCOPE, id, [1], call())])).toEqual([[], []]);
      expect((await brief.load(SCOPE, id, 10, call())).version).toBe(0);
      await brief.close?.();
    });

    test("a long turn comes back whole", async () => {
      const { id, turns } = await grown(1, { answer: "가나다 🏝️\n".repeat(25_000) });
      expect((await load(id)).turns).toEqual(numbered(turns));
    });

    test("10: all sessions of a collection are deleted, whatever it is called, and none of another", async () => {
      const leaving = scope({ tenant: "acme*[x]?", collection: "le-a\\v:i*ng" });
      const others = [
        scope({ tenant: "acme-other", collection: leaving.collection }),
        scope({ tenant: leaving.tenant, collection: "le-a\\v:i*ngx" }),
        scope({ tenant: leaving.tenant, collection: "le-a\\v:iing" }),
        scope({ tenant: "acme[x]", collection: leaving.collection }),
      ];
      const ids = Array.from({ length: 120 }, (_, i) => `left-${i}`);
      await Promise.all(ids.map((id) => append(store, id, turn(), leaving)));
      for (const other of others) await append(store, "left-1", turn(), other);
      const late = turn();
      await begin(store, "left-2", late, leaving);
      expect(await store.deleteAll(leaving, call())).toBe(120);
      for (const id of ids) expect((await store.load(leaving, id, 10, call())).version).toBe(0);
      for (const other of others) expect((await store.load(other, "left-1", 10, call())).turnCount).toBe(1);
      await expect(store.finish(leaving, "left-2", late, call())).rejects.toMatchObject({ code: "not_found" });
      expect(await store.deleteAll(leaving, call())).toBe(0);
      await append(store, "left-1", turn(), leaving);
      expect((await store.load(leaving, "left-1", 10, call())).turnCount).toBe(1);
    });

    test("10: forgotten ones too; and a question that could not be recorded does not come back", async () => {
      const leaving = scope({ collection: "gone" });
      const forgetting = await opened.forgetting(1000);
      await append(forgetting, "old", turn({ at: new Date().toISOString() }), leaving);
      await sleep(1200);
      // Redis has forgotten it by itself.
      expect(await forgetting.deleteAll(leaving, call())).toBeLessThanOrEqual(1);
      expect((await store.load(leaving, "old", 10, call())).version).toBe(0);
      await forgetting.close?.();

      const asked = turn();
      await beginRefused("unrecorded", asked, leaving);
      await store.deleteAll(leaving, call());
      await expect(store.finish(leaving, "unrecorded", asked, call())).rejects.toMatchObject({ code: "not_found" });
      expect((await store.load(leaving, "unrecorded", 10, call())).version).toBe(0);
    });
  });
  sessionReadersContract(name, open);
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}
