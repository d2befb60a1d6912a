import type { CallOptions, Entity, FinishedTurn, Scope, Session, ShortTurn, Turn } from "../types.ts";

/** What compaction changes; what is absent stays. */
export interface SessionChange {
  readonly summary?: string;
  readonly summarizedTurns?: number;
  readonly entities?: readonly Entity[];
  /** Short forms of turns, by number; they replace earlier ones. */
  readonly short?: readonly ShortTurn[];
  /** Recall vectors, by turn number. Another model than the stored vectors' drops those. */
  readonly recall?: { readonly model: string; readonly vectors: readonly TurnVector[] };
}

export interface TurnVector {
  readonly number: number;
  readonly vector: Float32Array;
}

export interface RecallQuery {
  readonly model: string;
  readonly vector: Float32Array;
  readonly limit: number;
}

export interface Begun {
  /** As it was before this question. */
  readonly session: Session;
  /**
   * Resolves when the question is durable: await it before the reader is shown any text of an answer. Where it rejects, the question
   * may be answered all the same: see rule 9.
   */
  readonly recorded: Promise<void>;
}

/**
 * Keeps conversations. Reading one, beginning and finishing a turn cost one round trip each.
 *
 * 1. `load` of an unknown id gives an empty session of version 0; it never creates one.
 * 2. `begin` records a question as pending. Nothing happens where its request id is known already. One left pending longer than the
 *    lease shows as interrupted, and the next `begin` gives it a number. `renew` begins its lease anew.
 * 3. `finish` is atomic and gives the turn the next number: turns stand in order of completion, and two at once both survive. A second
 *    call with the same request id changes nothing, except that a complete turn replaces one that was not, under its number. When it
 *    resolves, the turn is durable. What the store cannot take is refused as retryable, and may be finished again. Rejects with `not_found`
 *    where the question was never begun, or is gone: deleted meanwhile, expired or evicted.
 *    A request id may so be begun and finished by several calls, also at once: it is one turn, and its first complete answer stays.
 * 4. `load` and `begin` give at most `turnsMax` of the latest turns, in their short form where there is one; `turns` gives the
 *    originals of any numbers, in ascending order, unknown ones left out. None reads more than it gives.
 * 5. `replace` commits unless somebody else replaced something after `version` was read; else it resolves to false and changes nothing.
 *    Turns finished meanwhile are kept and do no harm. It creates no session.
 * 6. `recall` gives the turns nearest to a vector (cosine, best first), of vectors of the same model only.
 * 7. `delete` removes everything, `list`'s entry too; turns still pending then cannot be finished any more. A session that is begun under the id afterwards has a
 *    version that begins with its microsecond, which the deleted one could not get to: it counts one a write.
 * 8. Sessions belong to a tenant, a collection and a user, or to no user: the same id elsewhere is another session.
 * 9. A question that could not be recorded leaves nothing behind. Either `begin` itself rejects, and its turn cannot be finished (Redis and
 *    PostgreSQL, where the question and what is read are one round trip). Or only `recorded` does (SQLite, where reading goes on without
 *    writing): then `finish` is refused for the store's own reason while that lasts, and afterwards stores the whole turn, once, beginning the
 *    session where there was none. Not so where the session was deleted meanwhile: that is `not_found`. Where too many are pending already,
 *    `begin` rejects with `rate_limited`; with SQLite, of those that several processes let in at the same moment, only `recorded` does.
 * 10. `deleteAll` does what `delete` does to every session of a tenant's collection, forgotten ones included, a few at a time: where it rejects
 *    some may be gone, and one that is begun meanwhile may stay. Of a scope with a user, to that user's alone; without, to those of all.
 * 11. A session keeps the scope's groups of everybody who has begun or finished a question in it, as what is said there may quote what they may read. To who lacks one of
 *    them `begin` and `load` reject with `forbidden`, and nothing changes; for `turns`, `recall`, `list` and `delete` it is not there. `finish`, `renew` and
 *    `replace` go on with what was begun, and `deleteAll` asks nobody. Of two who begin a session at the same moment, SQLite refuses the later one's `recorded` alone
 *    (and then `finish`), and where a turn that is known is begun again, `finish` alone binds.
 * 12. `list` gives the sessions of the scope's user that are not forgotten, the one that was last asked in first, a page at a time. Of many
 *    thousands a store may give the latest alone, and one whose question could not be recorded may be missing.
 *
 * A store may be unable to tell that a question was never recorded from its having been recorded and deleted since. It then takes it
 * for deleted: a lost turn is logged, a deleted conversation that came back would not be noticed. So it is with what Redis has acknowledged and
 * lost (eviction, `FLUSHALL`, a failover): of a key that is gone nothing says why, and a mark left by `delete` could be evicted as
 * well. PostgreSQL loses nothing that it acknowledged. SQLite knows of a question that it could not record and of every deletion by this
 * process; one by another process it sees by the session's version, if there was a session when the question came. If there was
 * none, another process can only have deleted what was begun since, and the turn is stored.
 */
export interface SessionStore {
  begin(scope: Scope, sessionId: string, asked: Asked, turnsMax: number, options: CallOptions): Promise<Begun>;
  /** Of a question that is not pending: nothing. */
  renew(scope: Scope, sessionId: string, requestId: string, options: CallOptions): Promise<void>;
  finish(scope: Scope, sessionId: string, turn: FinishedTurn, options: CallOptions): Promise<void>;
  load(scope: Scope, sessionId: string, turnsMax: number, options: CallOptions): Promise<Session>;
  turns(scope: Scope, sessionId: string, numbers: readonly number[], options: CallOptions): Promise<Turn[]>;
  replace(scope: Scope, id: string, version: number, change: SessionChange, options: CallOptions): Promise<boolean>;
  recall(
    scope: Scope,
    sessionId: string,
    query: RecallQuery,
    options: CallOptions,
  ): Promise<{ readonly number: number; readonly score: number }[]>;
  /** Resolves to false where there was nothing to delete. */
  delete(scope: Scope, sessionId: string, options: CallOptions): Promise<boolean>;
  list(scope: UserScope, range: SessionRange, options: CallOptions): Promise<SessionPage>;
  /** Takes as long as it takes. Resolves to how many it has deleted. */
  deleteAll(scope: Scope, options: CallOptions): Promise<number>;
  /**
   * For stores whose `begin` writes: rejects where it would, though `load` does not, as of a database that takes no writes. Changes nothing.
   */
  probe?(scope: Scope, options: CallOptions): Promise<void>;
  /** What keeps it from storing turns, and how to mend it, where that is known without trying; null: nothing. */
  problem?(): string | null;
  close?(): Promise<void>;
}

export interface UserScope extends Scope {
  readonly user: string;
}

/** `limit` sessions at most, after the one that `after` is; absent: from the first. */
export interface SessionRange {
  readonly limit: number;
  readonly after?: SessionPlace | undefined;
}

/** Where a session stands in its user's list, which changes with each question. */
export interface SessionPlace {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly usedAtMs: number;
}

export interface SessionPage {
  readonly sessions: readonly SessionEntry[];
  /** Of the last one; absent: there are no more. */
  readonly next?: SessionPlace;
}

export interface SessionEntry extends SessionPlace {
  /** The first of it, in its original form. */
  readonly question: string;
  readonly turnCount: number;
}

/** A question on its way in. */
export interface Asked {
  /** What no other question of the conversation has. */
  readonly requestId: string;
  readonly question: string;
  /** Of the question. */
  readonly tokens: number;
}
