import type { CallOptions, Scope, Session, Turn } from "../types.ts";

/**
 * Keeps conversations.
 *
 * 1. `load` of an unknown id gives an empty session of version 0; it never creates one.
 * 2. `append` is atomic and idempotent by `turn.requestId`: a second call with the same id changes nothing. Two turns
 *    appended at once both survive. When it resolves, the turn is durable.
 * 3. `replace` commits only if the version is still `version`; else it resolves to false and changes nothing.
 * 4. Sessions belong to a tenant and collection: the same id elsewhere is another session.
 */
export interface SessionStore {
  /** `turnsMax`: how many of the latest turns to read. */
  load(scope: Scope, sessionId: string, turnsMax: number, options: CallOptions): Promise<Session>;
  append(scope: Scope, sessionId: string, turn: Turn, options: CallOptions): Promise<void>;
  replace(
    scope: Scope,
    sessionId: string,
    version: number,
    change: { readonly summary: string; readonly summarizedTurns: number },
    options: CallOptions,
  ): Promise<boolean>;
  /** Resolves to false where there was nothing to delete. */
  delete(scope: Scope, sessionId: string, options: CallOptions): Promise<boolean>;
  close?(): Promise<void>;
}
