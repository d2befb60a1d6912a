import { SqlitePassageIndex } from "../../src/adapters/passage-index/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import { type BenchPassage, type BenchQuestion, DIMENSIONS, passage } from "./corpus.ts";

export const SCOPE = { tenant: "bench", collection: "bench", groups: [] };
/** What the index is said to be embedded with; a server asks in it. */
export const EMBEDDER = `hashing/${DIMENSIONS}`;
export const LIMIT = 20;
const signal = new AbortController().signal;
const PASSAGES_PER_DOCUMENT = 20;

export interface Opened {
  readonly index: PassageIndex;
  close(): Promise<void>;
}

export function open(file: string): Opened {
  const database = Database.open(file);
  const index = new SqlitePassageIndex(database, { model: EMBEDDER, dimensions: DIMENSIONS });
  return {
    index,
    async close() {
      await index.close?.();
      await database.close();
    },
  };
}

/** The 20 passages from `from` on. */
export function passagesFrom(from: number): BenchPassage[] {
  return Array.from({ length: PASSAGES_PER_DOCUMENT }, (_, i) => passage(from + i));
}

/** Writes a document of 20 passages. */
export async function write(index: PassageIndex, document: number, passages: readonly BenchPassage[]): Promise<void> {
  const first = passages[0];
  if (!first) return;
  await index.replace(
    SCOPE,
    { id: `d${document}`, title: first.title, hash: "", metadata: { year: first.year }, groups: [] },
    passages.map(({ text, vector }) => ({ text, headings: [], tokens: 100, vector })),
    { signal },
  );
}

export async function fill(index: PassageIndex, size: number): Promise<void> {
  const documents = Math.ceil(size / PASSAGES_PER_DOCUMENT);
  for (let n = 0; n < documents; n += 16) {
    await Promise.all(
      Array.from({ length: Math.min(16, documents - n) }, (_, i) =>
        write(index, n + i, passagesFrom(PASSAGES_PER_DOCUMENT * (n + i))),
      ),
    );
  }
}

export function search(index: PassageIndex, { text, vector }: BenchQuestion) {
  return index.search(SCOPE, { text, vector, limit: LIMIT }, { signal });
}
