import type { SessionEntry, SessionPage, SessionPlace, SessionRange, UserScope } from "../../ports/session-store.ts";
import type { Scope } from "../../types.ts";
import type { RedisConnection } from "../redis/connection.ts";
import * as scripts from "./redis-scripts.ts";
import { inOrder, pageOf } from "./shared.ts";

interface RedisListsOptions {
  readonly ttlMs: number;
  /** Key of a session; without an id, of its user's list. */
  keyOf(scope: Scope, id: string): string;
  /** As JSON. */
  groupsOf(scope: Scope): string;
}

/** Sessions looked at together: many may be gone, or not for who asks. */
const LOOKED_AT_ONCE = 100;

/**
 * Which sessions a user has: one hash a user, on another slot than the sessions, so that it may lack one, or have one that is gone. A session goes
 * on where its list cannot be written.
 */
export class RedisLists {
  readonly #redis: RedisConnection;
  readonly #options: RedisListsOptions;

  constructor(redis: RedisConnection, options: RedisListsOptions) {
    this.#redis = redis;
    this.#options = options;
  }

  /** A session that is being asked in. */
  add(scope: Scope, id: string): Promise<void> {
    return this.#may(scope, (key) => this.#redis.run(scripts.LIST, key, [this.#options.ttlMs, id]));
  }

  /** A session was read, and so lives on: its list does as well. */
  keep(scope: Scope): Promise<void> {
    return this.#may(scope, (key) => this.#redis.run(scripts.KEEP_LIST, key, [this.#options.ttlMs]));
  }

  /** Not those that were asked in later than it says. */
  async remove(scope: Scope, places: readonly SessionPlace[]): Promise<void> {
    if (places.length === 0) return;
    const values = places.flatMap(({ id, usedAtMs }) => [id, usedAtMs]);
    await this.#may(scope, (key) => this.#redis.run(scripts.UNLIST, key, values));
  }

  async page(scope: UserScope, { limit, after }: SessionRange, signal: AbortSignal): Promise<SessionPage> {
    const places = (await this.#read(scope)).filter((place) => !after || inOrder(after, place) < 0);
    const sessions: SessionEntry[] = [];
    const gone: SessionPlace[] = [];
    for (let from = 0; from < places.length && sessions.length <= limit; from += LOOKED_AT_ONCE) {
      signal.throwIfAborted();
      const some = places.slice(from, from + LOOKED_AT_ONCE);
      const entries = await Promise.all(some.map((place) => this.#entry(scope, place)));
      for (const [i, entry] of entries.entries()) {
        if (entry === "gone") gone.push(...some.slice(i, i + 1));
        else if (entry) sessions.push(entry);
      }
    }
    await this.remove(scope, gone);
    return pageOf(sessions, limit);
  }

  /** All of them, in order; none where the list cannot be read, or is nobody's. */
  async places(scope: Scope): Promise<SessionPlace[]> {
    const { user } = scope;
    return user === undefined ? [] : this.#read({ ...scope, user }).catch(() => []);
  }

  async #read(scope: UserScope): Promise<SessionPlace[]> {
    const listed = (await this.#redis.run(scripts.LISTED, this.#options.keyOf(scope, ""), [])) as string[];
    const places: SessionPlace[] = [];
    for (let i = 0; i + 1 < listed.length; i += 2) {
      places.push({ id: listed[i] ?? "", usedAtMs: Number(listed[i + 1]) });
    }
    return places.sort(inOrder);
  }

  /** Null: it is not for who asks. */
  async #entry(scope: UserScope, place: SessionPlace): Promise<SessionEntry | "gone" | null> {
    const { keyOf, groupsOf } = this.#options;
    const found = (await this.#redis.run(scripts.ENTRY, keyOf(scope, place.id), [groupsOf(scope)])) as string[];
    const [first, turnCount] = found;
    if (first === undefined) return "gone";
    if (Number(turnCount) < 0) return null;
    const question = first === "" ? "" : scripts.turnOf(first).question;
    return { ...place, question, turnCount: Number(turnCount) };
  }

  async #may(scope: Scope, call: (key: string) => Promise<unknown>): Promise<void> {
    if (scope.user === undefined) return;
    await call(this.#options.keyOf(scope, "")).catch(() => undefined);
  }
}
