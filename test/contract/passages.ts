import type { Document, PassageInput } from "../../src/types.ts";

export const DIMENSIONS = 8;

/** The vector along one axis. */
export function unit(axis: number, dimensions = DIMENSIONS): Float32Array {
  const vector = new Float32Array(dimensions);
  vector[axis] = 1;
  return vector;
}

export function document(id: string, change: Partial<Document> = {}): Document {
  return { id, title: `문서 ${id}`, hash: `hash of ${id}`, metadata: {}, groups: [], ...change };
}

/** A passage whose vector lies along `axis`; null: it has none. */
export function passage(text: string, axis: number | null): PassageInput {
  return { text, headings: [], tokens: text.length, vector: axis === null ? null : unit(axis) };
}
