import type { Passage, ScoredPassage } from "../../types.ts";
import type { Place } from "./milvus-messages.ts";
import { Remembered } from "./remembered.ts";

/** Characters of passages in memory, and what each has beside its text. */
const CHARACTERS_MAX = 10_000_000;
const OVERHEAD = 500;

interface KnownPassage {
  readonly passage: Passage;
  /** The collection's version in which its document was last seen to be of the passage's generation. */
  currentIn: string | null;
}

/** Passages that were read, by id, and whether they may be shown without asking. */
export class KnownPassages {
  readonly #known = new Remembered<string, KnownPassage>({
    weightMax: CHARACTERS_MAX,
    weightOf: ({ passage }) => passage.text.length + OVERHEAD,
  });

  /** All of these that there are; `read` gives those that are not known. */
  async all(
    ids: Iterable<string>,
    read: (missing: readonly string[]) => Promise<ReadonlyMap<string, Passage>>,
  ): Promise<Map<string, Passage>> {
    const known = await this.#known.all(ids, async (missing) => {
      const passages = await read(missing);
      return new Map(Array.from(passages, ([id, passage]) => [id, { passage, currentIn: null }]));
    });
    return new Map(Array.from(known, ([id, { passage }]) => [id, passage]));
  }

  /** That their documents were of their generations at the moment when the collection was of the version. */
  noteCurrent(hits: readonly Place[], version: string): void {
    for (const { id } of hits) {
      const known = this.#known.get(id);
      if (known) known.currentIn = version;
    }
  }

  /** Null: one of them is not known, or not to be current in this version. */
  scored(hits: readonly Place[], version: string): ScoredPassage[] | null {
    const found: ScoredPassage[] = [];
    for (const { id, score } of hits) {
      const known = this.#known.get(id);
      if (known?.currentIn !== version) return null;
      found.push({ passage: known.passage, score });
    }
    return found;
  }
}
