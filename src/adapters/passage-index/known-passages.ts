import type { Document, Passage, PassageInput } from "../../types.ts";
import { Remembered } from "./remembered.ts";
import { storedPassage } from "./stored-passage.ts";

/** Kept for the next question. */
const READ_MAX = 5000;
/** Kept for the first: a question about what was just written need not read it, and much that is written is never asked for. */
const WRITTEN_MAX = 2000;
/** Of documents that are being replaced or deleted: searches still find them until the commit is taken over. */
export const LEAVING_MAX = 512;

interface Written {
  readonly document: Document;
  readonly input: Omit<PassageInput, "vector">;
  readonly ordinal: number;
}

/** Passages by row, which name one text for ever. */
export class KnownPassages {
  readonly #read = new Remembered<number, Passage>({ weightMax: READ_MAX, weightOf: () => 1 });
  readonly #written = new Remembered<number, Written>({ weightMax: WRITTEN_MAX, weightOf: () => 1 });
  readonly #leaving = new Remembered<number, Passage>({ weightMax: LEAVING_MAX, weightOf: () => 1 });

  find(row: number): Passage | undefined {
    const known = this.#read.get(row) ?? this.#leaving.get(row);
    if (known) return known;
    const written = this.#written.get(row);
    if (!written) return undefined;
    const passage = passageOf(written);
    this.keep(row, passage);
    return passage;
  }

  keep(row: number, passage: Passage): void {
    this.#read.add(row, passage);
  }

  /** It is about to go from the file. */
  leaves(row: number, passage: Passage): void {
    this.#leaving.add(row, passage);
  }

  /** `rows`: the passages', in their order. Both as they are stored. */
  wrote(rows: readonly number[], document: Document, passages: readonly PassageInput[]): void {
    for (const [ordinal, row] of rows.entries()) {
      const passage = passages[ordinal];
      if (!passage) continue;
      const { vector: _, ...input } = passage;
      this.#written.add(row, { document, input, ordinal });
    }
  }
}

function passageOf({ document, input, ordinal }: Written): Passage {
  const { headings, text, tokens, page = null, pageEnd = null } = input;
  return storedPassage({
    ...{ id: document.id, ordinal, title: document.title, url: document.url ?? null, text, tokens, page, pageEnd },
    headings: JSON.stringify(headings),
    metadata: JSON.stringify(document.metadata),
  });
}
