import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import type { Filter, Metadata, PassageInput, Scope, ScoredPassage } from "../../src/types.ts";
import { filter as anyFilter, content } from "../resident/arbitraries.ts";
import { fieldsOf, matches } from "../resident/naive.ts";
import { call, scope, until } from "../support/calls.ts";
import type { OpenedPassageIndex } from "./passage-index.ts";
import { DIMENSIONS, document, passage, unit } from "./passages.ts";

/** An index in a server of its own, which may be harmed. */
export interface OpenedRemoteIndex extends OpenedPassageIndex {
  /** Ends the server with SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again on the same port and files. */
  restart(): Promise<void>;
  /** Stops it (SIGSTOP) and lets it go on (SIGCONT). */
  freeze(): void;
  thaw(): void;
  /** Ends the connections that nobody is using, from the server's side. */
  dropIdleConnections(): Promise<void>;
}

export interface RemoteLimits {
  /** Rows that the filters are measured on; of these 0.1 %, 1 %, 5 % and 50 % match. Default 10,000. */
  readonly rows?: number;
  /** Until it answers again after a kill, at most. */
  readonly recoveryMs: number;
}

const TYPED = expect.stringMatching(/^dependency_(failed|timeout)$/);
const PASSAGES_PER_DOCUMENT = 10;
const SHARES = [0.001, 0.01, 0.05, 0.5];

/** What an index in another process has to bear, beside what every index does. */
export function remotePassageIndexContract(
  name: string,
  open: () => Promise<OpenedRemoteIndex>,
  { rows = 10_000, recoveryMs }: RemoteLimits,
): void {
  describe(`passage index: ${name}: in another process`, () => {
    let opened: OpenedRemoteIndex;
    let index: PassageIndex;
    let made = 0;
    const fresh = () => scope({ collection: `r${++made}` });
    const found = async (where: Scope, text: string) =>
      (await index.search(where, { text, limit: 50 }, call())).byText.map(({ passage }) => passage.text).toSorted();

    beforeAll(async () => {
      opened = await open();
      index = opened.index;
    }, 180_000);
    afterAll(() => opened.close());

    describe("filters", () => {
      const where = scope({ collection: "filtered" });
      let stored: { readonly id: string; readonly metadata: Metadata; readonly passages: readonly PassageInput[] }[] =
        [];

      beforeAll(async () => {
        const random = randomOf(5);
        const documents = rows / PASSAGES_PER_DOCUMENT;
        stored = Array.from({ length: documents }, (_, i) => ({
          id: `d${i}`,
          // The place in a shuffled order: a share of the documents is what lies below a bound.
          metadata: { place: (i * 7919) % documents, lang: i % 3 === 0 ? "ko" : "en" },
          passages: Array.from({ length: PASSAGES_PER_DOCUMENT }, (_, n) => ({
            ...passage(`휴가 ${i} ${n}`, null),
            vector: randomUnit(random),
          })),
        }));
        for (let i = 0; i < documents; i += 50) {
          await Promise.all(
            stored
              .slice(i, i + 50)
              .map(({ id, metadata, passages }) =>
                index.replace(where, document(id, { title: "", metadata }), passages, call()),
              ),
          );
        }
      }, 180_000);

      test.each(SHARES)("%f of the rows match: k rows come back, and recall is 0.95 or more", async (share) => {
        const bound = Math.max(1, Math.round((share * rows) / PASSAGES_PER_DOCUMENT));
        const filter: Filter = { place: { $lt: bound } };
        const random = randomOf(11);
        const limit = 10;
        let right = 0;
        const queries = 40;
        for (let i = 0; i < queries; i++) {
          const vector = randomUnit(random);
          const result = await index.search(where, { vector, text: "휴가", limit, filter }, call());
          const wanted = nearest(
            stored.filter(({ metadata }) => matches(filter, metadata)),
            vector,
            limit,
          );
          expect(result.byVector).toHaveLength(limit);
          expect(result.byText).toHaveLength(limit);
          for (const { passage } of [...result.byVector, ...result.byText]) {
            expect(matches(filter, passage.metadata)).toBe(true);
          }
          right += ids(result.byVector).filter((id) => wanted.includes(id)).length;
        }
        expect(right / (queries * limit)).toBeGreaterThanOrEqual(0.95);
      });

      test("without a filter: recall is 0.95 or more", async () => {
        const random = randomOf(13);
        let right = 0;
        for (let i = 0; i < 40; i++) {
          const vector = randomUnit(random);
          const { byVector } = await index.search(where, { vector, limit: 10 }, call());
          const wanted = nearest(stored, vector, 10);
          right += ids(byVector).filter((id) => wanted.includes(id)).length;
        }
        expect(right / 400).toBeGreaterThanOrEqual(0.95);
      });
    });

    test("the whole filter language means what the embedded index says", { timeout: 120_000 }, async () => {
      const where = fresh();
      const documents = fc
        .sample(content, { numRuns: 40, seed: 3 })
        .map(({ metadata }, i) => ({ id: `d${i}`, metadata }));
      for (const { id, metadata } of documents) {
        await index.replace(where, document(id, { metadata }), [passage("글", 1)], call());
      }
      const known = new Set(documents.flatMap(({ metadata }) => Object.keys(metadata)));
      await fc.assert(
        fc.asyncProperty(anyFilter, async (filter) => {
          fc.pre(fieldsOf(filter).every((field) => known.has(field)));
          const { byText, byVector } = await index.search(
            where,
            { text: "글", vector: unit(1), limit: 50, filter },
            call(),
          );
          const wanted = documents.filter(({ metadata }) => matches(filter, metadata)).map(({ id }) => `${id}#0`);
          expect(ids(byText).toSorted()).toEqual(wanted.toSorted());
          expect(ids(byVector).toSorted()).toEqual(wanted.toSorted());
        }),
        { numRuns: 150 },
      );
    });

    test("a scope sees what it may read of what others write at the same time, and no more", {
      timeout: 120_000,
    }, async () => {
      const word = fc.constantFrom("휴가", "급여", "leave", "비밀");
      const stored = fc.record({
        id: fc.constantFrom("a", "b", "c", "d", "e"),
        tenant: fc.constantFrom("t1", "t2"),
        collection: fc.constantFrom("c1", "c2"),
        groups: fc.subarray(["hr", "it"]),
        words: fc.array(word, { minLength: 1, maxLength: 4 }),
      });
      const asker = fc.record({
        tenant: fc.constantFrom("t1", "t2"),
        collection: fc.constantFrom("c1", "c2"),
        groups: fc.subarray(["hr", "it"]),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(stored, { maxLength: 10 }), asker, word, async (documents, asking, text) => {
          const run = `${++made}-`;
          const latest = new Map(documents.map((one) => [[one.tenant, one.collection, one.id].join("/"), one]));
          await Promise.all(
            [...latest.values()].map(({ id, tenant, collection, groups, words }) =>
              index.replace(
                { tenant, collection: run + collection, groups: [] },
                document(id, { groups, title: "" }),
                [passage(words.join(" "), 1)],
                call(),
              ),
            ),
          );
          const { tenant, collection, groups } = asking;
          const readable = [...latest.values()].filter(
            (one) =>
              one.tenant === tenant &&
              one.collection === collection &&
              (one.groups.length === 0 || one.groups.some((group) => groups.includes(group))),
          );
          const where = { ...asking, collection: run + collection };
          const { byText, byVector } = await index.search(where, { text, vector: unit(1), limit: 50 }, call());
          const holding = readable.filter(({ words }) => words.includes(text));
          expect(ids(byText).toSorted()).toEqual(holding.map(({ id }) => `${id}#0`).toSorted());
          expect(ids(byVector).toSorted()).toEqual(readable.map(({ id }) => `${id}#0`).toSorted());
          expect((await index.status(where, call())).documents).toBe(readable.length);
        }),
        { numRuns: 25 },
      );
    });

    test("what is too long is refused before anything is lost", async () => {
      const where = fresh();
      await index.replace(where, document("a"), [passage("옛 글", 0)], call());
      const long = passage(`끝없는 ${"긴 글 ".repeat(6_000_000)}`, 0);
      await expect(index.replace(where, document("a"), [long], call())).rejects.toMatchObject({
        code: "request_invalid",
        message: expect.stringMatching(/text.*at most/),
      });
      expect(await found(where, "글")).toEqual(["옛 글"]);
    });

    test("a text of a million characters is stored whole and found", { timeout: 120_000 }, async () => {
      const where = fresh();
      const text = `퇴직금 ${"긴 글이 이어진다. ".repeat(100_000)}마지막낱말`;
      await index.replace(where, document("a"), [passage(text, 0)], call());
      expect(await found(where, "마지막낱말")).toEqual([text]);
    });

    test("a call whose deadline is over is refused at once, and changes nothing", async () => {
      const where = fresh();
      const late = { ...call(), deadline: performance.now() - 1 };
      const timeout = { code: "dependency_timeout" };
      await expect(index.search(where, { text: "글", limit: 1 }, late)).rejects.toMatchObject(timeout);
      await expect(index.replace(where, document("a"), [passage("글", 0)], late)).rejects.toMatchObject(timeout);
      expect(await index.find(where, "a", call())).toBeNull();
    });

    test("a caller who leaves is told so at once, and the next one is served", async () => {
      const where = fresh();
      await index.replace(where, document("a"), [passage("글", 0)], call());
      const gone = { code: "cancelled" };
      await expect(index.search(where, { text: "글", limit: 1 }, call(AbortSignal.abort()))).rejects.toMatchObject(
        gone,
      );
      const controllers = Array.from({ length: 20 }, () => new AbortController());
      const searches = controllers.map(({ signal }) => index.search(where, { text: "글", limit: 1 }, call(signal)));
      for (const controller of controllers) controller.abort();
      for (const search of searches) await expect(search).rejects.toMatchObject(gone);
      expect(await found(where, "글")).toEqual(["글"]);
    });

    test("connections that the server has dropped while idle are nobody's failure", async () => {
      const where = fresh();
      await index.replace(where, document("a"), [passage("글", 0)], call());
      for (let i = 0; i < 3; i++) {
        await Promise.all([1, 2, 3, 4].map(() => found(where, "글")));
        await opened.dropIdleConnections();
        expect(await found(where, "글")).toEqual(["글"]);
        await opened.dropIdleConnections();
        await index.replace(where, document("a"), [passage("글", i)], call());
      }
    });

    test("a server that says nothing is a timeout within the deadline, and forgotten once it goes on", async () => {
      const where = fresh();
      await index.replace(where, document("a"), [passage("글", 0)], call());
      opened.freeze();
      try {
        const startedAt = performance.now();
        const inTime = { ...call(), deadline: startedAt + 300 };
        await expect(index.search(where, { text: "글", limit: 1 }, inTime)).rejects.toMatchObject({ code: TYPED });
        expect(performance.now() - startedAt).toBeLessThan(3000);
      } finally {
        opened.thaw();
      }
      await until("it is searched again", () => searchable(index, where), recoveryMs);
    });

    test("killed and back: failures are typed, what was acknowledged is there, and no process is restarted", {
      timeout: recoveryMs + 120_000,
    }, async () => {
      const where = fresh();
      const acknowledged = new Set<string>();
      let writing = true;
      const failures: unknown[] = [];
      const writer = async (lane: number) => {
        for (let i = 0; writing && i < 10_000; i++) {
          const id = `${lane}-${i}`;
          const passages = [passage(`휴가 ${id}`, 0), passage(`급여 ${id}`, 1)];
          await index.replace(where, document(id), passages, { ...call(), deadline: performance.now() + 5000 }).then(
            () => acknowledged.add(id),
            (error) => failures.push(error),
          );
        }
      };
      const writers = [writer(1), writer(2), writer(3)];
      await until("some is written", () => acknowledged.size > 20, 60_000);
      await opened.kill();
      await until("a write fails", () => failures.length > 0, 30_000);
      writing = false;
      await Promise.all(writers);
      const down = { ...call(), deadline: performance.now() + 2000 };
      await expect(index.search(where, { text: "휴가", limit: 1 }, down)).rejects.toMatchObject({ code: TYPED });
      for (const failure of failures) expect(failure).toMatchObject({ code: TYPED, retryable: true });

      await opened.restart();
      await until("it is searched again", () => searchable(index, where), recoveryMs);
      const listed: string[] = [];
      for (let after: string | undefined; ; ) {
        const page = await index.list(where, { limit: 1000, ...(after !== undefined && { after }) }, call());
        for (const { id, passages } of page.documents) {
          expect(passages).toBe(2);
          listed.push(id);
        }
        after = page.next;
        if (after === undefined) break;
      }
      expect([...acknowledged].filter((id) => !listed.includes(id))).toEqual([]);
      const { byText, byVector } = await index.search(where, { text: "휴가", vector: unit(1), limit: 5000 }, call());
      expect(byText).toHaveLength(listed.length);
      expect(byVector).toHaveLength(2 * listed.length);
    });
  });
}

function searchable(index: PassageIndex, where: Scope): Promise<boolean> {
  const inTime = { ...call(), deadline: performance.now() + 2000 };
  return index.search(where, { text: "휴가", vector: unit(0), limit: 1 }, inTime).then(
    () => true,
    () => false,
  );
}

function ids(hits: readonly ScoredPassage[]): string[] {
  return hits.map(({ passage }) => passage.id);
}

function nearest(
  documents: readonly { readonly id: string; readonly passages: readonly PassageInput[] }[],
  query: Float32Array,
  limit: number,
): string[] {
  const scored = documents.flatMap(({ id, passages }) =>
    passages.map(({ vector }, n) => ({
      id: `${id}#${n}`,
      score: vector?.reduce((sum, value, i) => sum + value * (query[i] ?? 0), 0) ?? 0,
    })),
  );
  return scored
    .sort((a, b) => b.score - a.score)
    .slice(0, limit)
    .map(({ id }) => id);
}

/** Park and Miller. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

function randomUnit(random: () => number): Float32Array {
  const vector = Float32Array.from({ length: DIMENSIONS }, () => random() + random() + random() - 1.5);
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}
