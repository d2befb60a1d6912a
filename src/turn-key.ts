import { randomUUID } from "node:crypto";

/** What a store knows a turn by. A caller may give several calls of a conversation one name; each of them is a turn. */
export function turnKey(requestId: string): string {
  return `${requestId}#${randomUUID().slice(-12)}`;
}

/** The name of the call that made the turn. */
export function requestIdOf(key: string): string {
  return key.replace(/#[0-9a-f]{12}$/, "");
}
