import type { CallerOptions, TurnPage } from "./api.ts";
import type { Calls } from "./calls.ts";
import { boundedPage, latestThatFit } from "./pages.ts";
import type { SessionStore } from "./ports/session-store.ts";
import { parseRequest, type RequestSchemas, type TurnsRequest } from "./requests.ts";
import { requestIdOf } from "./turn-key.ts";
import type { Scope, Session, Turn } from "./types.ts";

/** The latest turns that a prompt is made of at most. */
const TURNS_MAX = 100;

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
    return this.#calls.store("session", caller, (call) => this.#store.delete(scope, sessionId, call));
  }

  #scope(collection: string | undefined, caller: CallerOptions): Scope {
    return this.#calls.scope(parseRequest(this.#schemas.collection, collection, "collection"), caller);
  }
}

/** As their callers named them. */
function named<T extends { readonly requestId: string }>(turns: readonly T[]): T[] {
  return turns.map((turn) => ({ ...turn, requestId: requestIdOf(turn.requestId) }));
}

function numberOf({ number }: Turn): number {
  return number;
}
