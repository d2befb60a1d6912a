import { RaglineError } from "../errors.ts";
import type { SessionChange, SessionStore } from "../ports/session-store.ts";

/** What a session may hold, whichever store keeps it. Texts in characters. */
export const SESSION_LIMITS = {
  text: 10_000_000,
  summary: 100_000,
  entities: 1000,
  entityName: 200,
  entityNote: 2000,
  shortTurns: 1000,
  vectors: 1000,
  dimensions: 4096,
  numbers: 1000,
} as const;

/** The same store; what is too large for it is refused as `request_invalid`, naming field and limit, and nothing is stored of it. */
export function sizedSessions(store: SessionStore): SessionStore {
  return {
    ...store,
    async begin(scope, id, asked, turnsMax, options) {
      limit("question", asked.question.length, SESSION_LIMITS.text, "characters");
      return store.begin(scope, id, asked, turnsMax, options);
    },
    async finish(scope, id, turn, options) {
      for (const field of ["question", "query", "answer"] as const) {
        limit(field, turn[field].length, SESSION_LIMITS.text, "characters");
      }
      return store.finish(scope, id, turn, options);
    },
    async turns(scope, id, numbers, options) {
      limit("numbers", numbers.length, SESSION_LIMITS.numbers, "turns");
      return store.turns(scope, id, numbers, options);
    },
    async replace(scope, id, version, change, options) {
      checkChange(change);
      return store.replace(scope, id, version, change, options);
    },
  };
}

function checkChange({ summary = "", summarizedTurns = 0, entities = [], short = [], recall }: SessionChange): void {
  limit("summary", summary.length, SESSION_LIMITS.summary, "characters");
  if (summarizedTurns < 0) throw new RaglineError("request_invalid", "summarizedTurns: below 0");
  limit("entities", entities.length, SESSION_LIMITS.entities, "entries");
  for (const { name, note } of entities) {
    limit("entities.name", name.length, SESSION_LIMITS.entityName, "characters");
    limit("entities.note", note.length, SESSION_LIMITS.entityNote, "characters");
  }
  limit("short", short.length, SESSION_LIMITS.shortTurns, "turns");
  for (const { question, answer } of short) {
    limit("short.question", question.length, SESSION_LIMITS.text, "characters");
    limit("short.answer", answer.length, SESSION_LIMITS.text, "characters");
  }
  const vectors = recall?.vectors ?? [];
  limit("recall.vectors", vectors.length, SESSION_LIMITS.vectors, "vectors");
  for (const { vector } of vectors) limit("recall.vectors", vector.length, SESSION_LIMITS.dimensions, "dimensions");
}

function limit(field: string, size: number, most: number, unit: string): void {
  if (size > most) throw new RaglineError("request_invalid", `${field}: ${size} ${unit}, the limit is ${most}`);
}
