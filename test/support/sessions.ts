import { DatabaseSync } from "node:sqlite";
import type { SessionStore, UserScope } from "../../src/ports/session-store.ts";
import type { FinishedTurn, Scope, Session } from "../../src/types.ts";
import { call, SCOPE, scope, sleep } from "./calls.ts";

let made = 0;

export function turn(change: Partial<FinishedTurn> = {}): FinishedTurn {
  const requestId = `request-${++made}`;
  const words = { question: "연차는 며칠인가요?", query: "연차 일수", answer: "15일입니다 [1]." };
  return { requestId, ...words, status: "complete", tokens: 12, at: "2025-03-01T09:00:00.000Z", ...change };
}

/** Records a question, durably. @returns the conversation before it */
export async function begin(
  store: SessionStore,
  id: string,
  { requestId, question }: Pick<FinishedTurn, "requestId" | "question">,
  scope: Scope = SCOPE,
): Promise<Session> {
  const { session, recorded } = await store.begin(scope, id, { requestId, question, tokens: 5 }, 100, call());
  await recorded;
  return session;
}

/** A whole turn: begun and finished. */
export async function append(store: SessionStore, id: string, turn: FinishedTurn, scope: Scope = SCOPE): Promise<void> {
  await begin(store, id, turn, scope);
  await store.finish(scope, id, turn, call());
}

/** A user in a collection of his own. */
export function freshUser(user = "kim"): UserScope {
  return { ...scope({ collection: `of-${++made}` }), user };
}

/** A whole turn of now: lists are in the order of these times. */
export async function ask(store: SessionStore, of: Scope, id: string, question = "연차는 며칠인가요?"): Promise<void> {
  await append(store, id, turn({ question, at: new Date().toISOString() }), of);
  await sleep(3);
}

export async function listed(store: SessionStore, of: UserScope, limit = 100): Promise<string[]> {
  const { sessions } = await store.list(of, { limit }, call());
  return sessions.map(({ id }) => id);
}

/** Unit length, another for every seed. */
export function vectorOf(seed: number, dimensions = 8): Float32Array {
  const vector = Float32Array.from({ length: dimensions }, (_, i) => Math.sin(seed * 7 + i * seed + 1));
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

/** Whether a file takes sessions and turns from now on, whichever process writes them, and lets any be deleted. */
export async function sqliteTakesWrites(file: string, does: boolean): Promise<void> {
  const database = new DatabaseSync(file);
  database.exec("PRAGMA busy_timeout = 5000");
  for (const [name, event] of [
    ["full_insert", "INSERT"],
    ["full_update", "UPDATE"],
    ["full_delete", "DELETE"],
  ] as const) {
    database.exec(
      does
        ? `DROP TRIGGER ${name}`
        : `CREATE TRIGGER ${name} BEFORE ${event} ON sessions BEGIN SELECT RAISE(ABORT, 'no space left'); END`,
    );
  }
  database.close();
}
