import type { SessionStore } from "../../src/ports/session-store.ts";
import type { FinishedTurn, Scope, Session } from "../../src/types.ts";
import { call, SCOPE } from "./calls.ts";

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

/** Unit length, another for every seed. */
export function vectorOf(seed: number, dimensions = 8): Float32Array {
  const vector = Float32Array.from({ length: dimensions }, (_, i) => Math.sin(seed * 7 + i * seed + 1));
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}
