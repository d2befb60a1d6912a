import type { CallOptions } from "../../types.ts";
import { inOrder, type LegSearch } from "./milvus-hits.ts";
import type { Place } from "./milvus-messages.ts";
import { type Field, type PassageRows, ROW_FIELDS } from "./milvus-passage-rows.ts";
import { MilvusPostings, type ReadPostings, type Shelf } from "./milvus-postings.ts";
import type { Posting } from "./milvus-ranking.ts";
import { readScanned, type ScannedPassage, scannedBytes } from "./milvus-scanned.ts";
import { LIMIT_MAX } from "./milvus-schema.ts";
import { averageLengthOf, dimensionOf, questionWeights, type TermStatistics } from "./milvus-terms.ts";
import { Remembered } from "./remembered.ts";

/** Passages that hold one of the rarest words are read until there are so many, before there is a floor to stop at. */
const SCANNED_MIN = 256;
/** Of 100,000 passages of a usual length. */
const WORDS_BYTES_MAX = 160_000_000;

/** The text leg of servers without sparse vectors. */
export class MilvusScannedText {
  readonly #rows: PassageRows;
  readonly #postings = new MilvusPostings();
  readonly #words: Field<ScannedPassage> = {
    field: "counts",
    read: (stored) => readScanned(String(stored)),
    remembered: new Remembered({ weightMax: WORDS_BYTES_MAX, weightOf: scannedBytes }),
  };

  constructor(rows: PassageRows) {
    this.#rows = rows;
  }

  /**
   * Reads the passages that hold one of the rarest words, and as many further words as can still lift a passage above the last of the
   * best. Exact, and as slow as there are words that nobody has asked for since the last write.
   */
  async search(
    tokens: ReadonlyMap<number, number>,
    statistics: TermStatistics,
    leg: LegSearch,
    call: CallOptions,
  ): Promise<Place[]> {
    const terms = [...questionWeights(tokens, statistics)];
    const shelf = this.#postings.shelf(leg.filter, leg.reading.version, averageLengthOf(statistics));
    if (shelf.postings.size > 0) leg.reading.noteRecalled();
    const read = new Map<number, Posting | null>();
    for (let wanted = SCANNED_MIN; ; wanted *= 4) {
      const { best, unread } = this.#postings.rank(shelf, read, terms, leg.limit);
      if (unread.length === 0) return inOrder(best, leg.limit);
      for (const some of readTogether(rarest(unread, wanted, statistics), statistics)) {
        for (const [hash, posting] of await this.#read(some, leg, shelf, call)) read.set(hash, posting);
      }
    }
  }

  async #read(hashes: readonly number[], leg: LegSearch, shelf: Shelf, call: CallOptions): Promise<ReadPostings> {
    const holding = {
      ...leg,
      filter: `${leg.filter} and array_contains_any(terms, [${hashes.map(dimensionOf).join(",")}])`,
    };
    const rows = await this.#rows.query(holding, ROW_FIELDS, call);
    const words = await this.#rows.field(this.#words, rows, holding, call);
    const passages = rows.flatMap(({ id, document }) => {
      const scanned = words.get(String(id));
      return scanned ? [{ id: String(id), document: String(document), words: scanned }] : [];
    });
    const postings = shelf.postingsOf(hashes, passages);
    const isWhole = rows.length < LIMIT_MAX;
    // Of several words that are in more passages nobody knows which lacks some.
    if (!isWhole && hashes.length > 1) return postings;
    const read: ReadPostings = isWhole ? postings : new Map(hashes.map((hash) => [hash, null]));
    leg.reading.learn(() => this.#postings.keep(shelf, read));
    return read;
  }
}

/** As many of the words, rarest first, as are in so many passages; one at least. */
function rarest(hashes: readonly number[], wanted: number, { frequencies }: TermStatistics): readonly number[] {
  let sum = 0;
  const end = hashes.findIndex((hash) => {
    sum += frequencies.get(hash) ?? 0;
    return sum >= wanted;
  });
  return end < 0 ? hashes : hashes.slice(0, end + 1);
}

/** Words that are in few enough passages to be read with one query, half of whose rows may be over; others by themselves. */
function* readTogether(hashes: readonly number[], { frequencies }: TermStatistics): Generator<readonly number[]> {
  let some: number[] = [];
  let sum = 0;
  for (const hash of hashes) {
    const frequency = frequencies.get(hash) ?? 0;
    if (some.length > 0 && sum + frequency > LIMIT_MAX / 2) {
      yield some;
      [some, sum] = [[], 0];
    }
    some.push(hash);
    sum += frequency;
  }
  if (some.length > 0) yield some;
}
