import type { CallerOptions, ListedSession, SessionPage, TurnPage } from "./api.ts";
import type { Calls } from "./calls.ts";
import { RaglineError, unlessLeft } from "./errors.ts";
import { boundedPage, latestThatFit } from "./pages.ts";
import type { SessionEntry, SessionPlace, SessionStore } from "./ports/session-store.ts";
import { parseRequest, type RequestSchemas, type SessionsRequest, type TurnsRequest } from "./requests.ts";
import { requestIdOf } from "./turn-key.ts";
import type { Scope, Session, Turn } from "./types.ts";

/** The latest turns that a prompt is made of at most. */
const TURNS_MAX = 100;
/** Of a listed session's first question, in characters. */
const TITLE_CHARS_MAX = 200;

/** Conversations, as a caller may read and delete them. */
export class Sessions {
  readonly #schemas: RequestSchemas;
  readonly #store: SessionStore;
  readonly #calls: Calls;

  constructor(schemas: RequestSchemas, store: SessionStore, calls: Calls) {
    this.#schemas = schemas;
    this.#store = store;
    this.#calls = calls;
  }

  async read(id: string, collection: string | undefined, caller: CallerOptions): Promise<Session | null> {
    const scope = this.#scope(collection, caller);
    const sessionId = parseRequest(this.#schemas.sessionId, id, "sessionId");
    const session = await this.#calls.store("session", caller, (call) =>
      this.#store.load(scope, sessionId, TURNS_MAX, call),
    );
    if (session.version === 0) return null;
    return { ...session, turns: named(latestThatFit(session.turns)), pending: named(session.pending) };
  }

  async turns(id: string, page: TurnsRequest, caller: CallerOptions): Promise<TurnPage | null> {
    const { collection, limit, after } = parseRequest(this.#schemas.turns, page);
    const scope = this.#calls.scope(collection, caller);
    const sessionId = parseRequest(this.#schemas.sessionId, id, "sessionId");
    const { items, next } = await this.#calls.store("session", caller, (call) =>
      boundedPage(limit, after, numberOf, async (from = 0, count) => {
        const numbers = Array.from({ length: count + 1 }, (_, i) => from + 1 + i);
        const found = await this.#store.turns(scope, sessionId, numbers, call);
        return { items: found.slice(0, count), next: found.length > count ? from + count : undefined };
      }),
    );
    if (items.length === 0 && (await this.read(id, collection, caller)) === null) return null;
    const turns = named(items);
    return next === undefined ? { turns } : { turns, next };
  }

  async delete(id: string, collection: string | undefined, caller: CallerOptions): Promise<boolean> {
    const scope = this.#scope(collection, caller);
    const sessionId = parseRequest(this.#schemas.sessionId, id, "sessionId");
    const isDeleted = await this.#calls.store("session", caller, (call) => this.#store.delete(scope, sessionId, call));
    // Else it may be one that this caller may not read, and is told so.
    if (!isDeleted) await this.read(id, collection, caller);
    return isDeleted;
  }

  async list(page: SessionsRequest, caller: CallerOptions): Promise<SessionPage> {
    const { collection, limit, after } = parseRequest(this.#schemas.sessions, page);
    const scope = this.#ofUser(collection, caller);
    const place = after === undefined ? undefined : toPlace(after);
    const { sessions, next } = await this.#calls.store("session", caller, (call) =>
      this.#store.list(scope, { limit, after: place }, call),
    );
    const listed = sessions.map(toListed);
    return next === undefined ? { sessions: listed } : { sessions: listed, next: `${next.usedAtMs}:${next.id}` };
  }

  /** Of a user, however long it takes. @returns how many there were */
  async deleteAll(collection: string | undefined, caller: CallerOptions): Promise<number> {
    const scope = this.#ofUser(parseRequest(this.#schemas.collection, collection, "collection"), caller);
    const { signal = new AbortController().signal } = caller;
    try {
      return await this.#store.deleteAll(scope, { signal });
    } catch (thrown) {
      throw unlessLeft(thrown, signal);
    }
  }

  /** @throws RaglineError `request_invalid`: it names no user */
  #ofUser(collection: string | undefined, caller: CallerOptions) {
    const { user, ...scope } = this.#calls.scope(collection, caller);
    if (user !== undefined) return { ...scope, user };
    throw new RaglineError(
      "request_invalid",
      "user: must be named (over HTTP by x-ragline-user): conversations are listed, and deleted together, by user",
    );
  }

  #scope(collection: string | undefined, caller: CallerOptions): Scope {
    return this.#calls.scope(parseRequest(this.#schemas.collection, collection, "collection"), caller);
  }
}

/** As their callers named them. */
function named<T extends { readonly requestId: string }>(turns: readonly T[]): T[] {
  return turns.map((turn) => ({ ...turn, requestId: requestIdOf(turn.requestId) }));
}

function toPlace(cursor: string): SessionPlace {
  const [usedAtMs, id] = cursor.split(/:(.*)/);
  return { usedAtMs: Number(usedAtMs), id: id ?? "" };
}

function toListed({ id, question, turnCount, usedAtMs }: SessionEntry): ListedSession {
  const title = [...question.slice(0, 2 * TITLE_CHARS_MAX)].slice(0, TITLE_CHARS_MAX).join("");
  return { id, question: title, turnCount, usedAt: new Date(usedAtMs).toISOString() };
}

function numberOf({ number }: Turn): number {
  return number;
}
