import { createHash, randomUUID } from "node:crypto";
import { groupsInOrder, type Scope } from "./types.ts";

/** What a store knows a turn by. A caller may give several calls of a conversation one name; each of them is a turn. */
export function turnKey(requestId: string): string {
  return `${requestId}#${randomUUID().slice(-12)}`;
}

/** The same for all calls of a conversation with this idempotency key, which are one turn; never one that `turnKey` makes. */
export function keyedTurn({ tenant, collection, user }: Scope, sessionId: string, key: string): string {
  const whose = user === undefined ? [] : [user];
  return `idempotency:${digest("turn", tenant, collection, sessionId, key, ...whose)}`;
}

/**
 * The conversation of calls with this idempotency key that name none: as hard to guess as the key. Callers of other groups have another,
 * in whatever order they name theirs: keys that two clients happen to share show neither what only the other may read.
 */
export function keyedSession({ groups }: Pick<Scope, "groups">, key: string): string {
  return digest("session", ...groupsInOrder(groups), key);
}

/** The name of the call that made the turn. */
export function requestIdOf(key: string): string {
  return key.replace(/#[0-9a-f]{12}$/, "");
}

function digest(...parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}
