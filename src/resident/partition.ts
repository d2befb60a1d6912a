import { RaglineError } from "../errors.ts";
import type { PassageParts } from "../text/passage-text.ts";
import { queryTokens } from "../text/tokens.ts";
import type { Filter } from "../types.ts";
import type { Builder } from "./builder.ts";
import { type Condition, evaluate, fieldsOf, readFilter } from "./filter.ts";
import { mergeArrays, mergeRest, mergeSource, segmentsToCompact, segmentsToMerge } from "./merge.ts";
import { findTerm, SEGMENT_PASSAGES_MAX } from "./postings.ts";
import { type Readable, Views } from "./readable.ts";
import { Reclaim } from "./reclaim.ts";
import { Scanner, type ScanPlan, type ScanResult } from "./scan.ts";
import {
  buildSteps,
  bytesOf,
  type LiveSegment,
  noRemovals,
  type ResidentPassage,
  type Segment,
  wholeSegment,
  withoutDocuments,
} from "./segment.ts";
import { atOnce, inSlices } from "./slices.ts";
import { numberSteps, type PassageTerms, termSteps } from "./terms.ts";
import { Vocabulary } from "./vocabulary.ts";

export type { ScanPlan, ScanResult } from "./scan.ts";
export type { ResidentPassage } from "./segment.ts";
export type { RowHit } from "./top.ts";

/** How many known fields an error names. */
const FIELDS_NAMED_MAX = 20;
/** A term with its number, on V8's heap. */
const TERM_BYTES = 100;
/** Of a partition without passages, and of what belongs to it. */
const EMPTY_BYTES = 20_000;

export interface PartitionChange {
  /** Document rows whose passages go. */
  readonly removedDocuments: readonly number[];
  /** Passages that come; those of `removedDocuments` too, where a document is replaced. */
  readonly added: readonly ResidentPassage[];
}

export interface PartitionQuery {
  /** Unit length; absent: no vector leg. */
  readonly vector?: Float32Array;
  /** Absent: no text leg. */
  readonly text?: string;
  /** Hits a leg, at most. */
  readonly limit: number;
  readonly filter?: Filter;
  /** Groups of the asker: passages of other groups are neither returned nor named in an error. */
  readonly groups: readonly string[];
}

interface WeighedTerm {
  readonly weight: number;
  readonly places: readonly number[];
}

/** A segment with what of it a search may return: one byte a passage, 1 where allowed; null: all of it. */
type Searchable = Pick<Readable, "live" | "allowed">;

/**
 * The searchable passages of one tenant's collection, in memory: BM25 over postings in typed arrays and an exact scan of
 * the vectors. Segments are immutable and removals are marked in a copy, so that a search sees one state throughout.
 * Segments are merged in the background, in slices.
 */
export class Partition {
  readonly #vocabulary = new Vocabulary();
  readonly #scanner = new Scanner(0);
  readonly #views = new Views();
  readonly #reclaim = new Reclaim();
  readonly #builder: Builder | null;
  #segments: readonly LiveSegment[] = [];
  #asOf = 0;
  #merging: Promise<void> | null = null;
  /** Documents removed since the merge that is under way began. */
  #removedMeanwhile: number[] = [];

  /** `builder`: a thread that does most of the work of changes; null: it is done here, in slices. */
  constructor(builder: Builder | null = null) {
    this.#builder = builder;
  }

  /** Live passages. */
  get passages(): number {
    return this.#segments.reduce((sum, live) => sum + live.passages, 0);
  }

  /** Another object after every change. */
  get state(): object {
    return this.#segments;
  }

  get segments(): readonly Segment[] {
    return this.#segments.map(({ segment }) => segment);
  }

  /** What it takes in memory, about. */
  get bytes(): number {
    const ofTerms = this.#vocabulary.terms.length * TERM_BYTES;
    return this.#segments.reduce((sum, live) => sum + bytesOf(live), EMPTY_BYTES + ofTerms);
  }

  get vocabulary(): Vocabulary {
    return this.#vocabulary;
  }

  /** Forgets all passages: nobody will search it again. */
  drop(): void {
    this.#become([]);
  }

  /** Resolves when no merge is under way. */
  async merged(): Promise<void> {
    while (this.#merging) await this.#merging;
  }

  /** Finds the terms of passages that are about to be added, which takes most of the time of adding them. */
  async prepare(passages: readonly PassageParts[]): Promise<PassageTerms[]> {
    const found = await this.#builder?.terms(passages);
    return inSlices(found ? numberSteps(found, this.#vocabulary) : termSteps(passages, this.#vocabulary));
  }

  /** Merges what can be merged into as few segments as possible, in the background too. */
  async compact(): Promise<void> {
    await this.merged();
    const dimensions = dimensionsOf(this.#segments);
    this.#merging = this.#merge(segmentsToCompact(this.#segments, dimensions), dimensions);
    await this.merged();
  }

  /**
   * Makes the change visible at once, as a whole. Rejects with `conflict`, changing nothing, where an added vector has
   * another length than the partition's. `asOf`: a number of the caller's for this state, kept with the segments.
   */
  apply(change: PartitionChange, asOf = 0): void {
    atOnce(this.#applySteps(change, asOf));
  }

  /** The same, prepared in slices: until it resolves searches see what was before. One at a time. */
  async applyInSlices(change: PartitionChange, asOf: number): Promise<void> {
    await inSlices(this.#applySteps(change, asOf));
  }

  /** Takes over a segment as it once was, without the documents that have changed since. */
  restore(segment: Segment, removedDocuments: readonly number[]): void {
    const live = withoutDocuments(wholeSegment(segment), removedDocuments);
    if (live.passages > 0) this.#segments = [...this.#segments, live];
    this.#reclaim.restored(segment);
  }

  /** On this thread. See `plan` for what it rejects. */
  search(query: PartitionQuery): ScanResult {
    return this.#scanner.scan(this.plan(query));
  }

  /**
   * What a search would do, decided on the state as it is now.
   * Rejects with `request_invalid` where the filter is malformed or names a field that no passage readable by `groups`
   * has, and with `conflict` where the vector has another length than the stored ones.
   */
  plan({ vector, text, limit, filter, groups }: PartitionQuery): ScanPlan {
    const readable = this.#segments.map((live) => this.#views.of(live, groups));
    const dimensions = dimensionsOf(this.#segments);
    if (vector && dimensions !== null && vector.length !== dimensions) {
      throw lengthConflict("The query's", vector.length, dimensions);
    }
    const searchables = filter ? filtered(readable, readFilter(filter)) : readable;
    const passages = readable.reduce((sum, view) => sum + view.passages, 0);
    const terms = text === undefined ? [] : this.#weigh(text, readable, passages);
    return {
      parts: searchables.map(({ live, allowed }, i) => {
        const places = new Int32Array(terms.length);
        for (let t = 0; t < places.length; t++) places[t] = terms[t]?.places[i] ?? -1;
        return { arrays: live.segment.arrays, allowed, places };
      }),
      weights: Float64Array.from(terms, ({ weight }) => weight),
      averageLength: readable.reduce((sum, view) => sum + view.tokens, 0) / passages,
      vector: vector ?? null,
      limit: Math.min(limit, passages),
    };
  }

  /** The query's terms, heaviest first, with their place in each segment's postings. */
  #weigh(text: string, readable: readonly Readable[], passages: number): WeighedTerm[] {
    const counts = new Map<number, number>();
    for (const token of queryTokens(text, this.#vocabulary.stem)) {
      const term = this.#vocabulary.find(token);
      if (term !== undefined) counts.set(term, (counts.get(term) ?? 0) + 1);
    }
    const weighed: WeighedTerm[] = [];
    for (const [term, count] of counts) {
      const places: number[] = [];
      let frequency = 0;
      for (const view of readable) {
        const place = findTerm(view.live.segment.arrays.postings, term);
        const here = place < 0 ? 0 : view.frequency(place);
        places.push(here === 0 ? -1 : place);
        frequency += here;
      }
      if (frequency === 0) continue;
      weighed.push({ weight: count * Math.log(1 + (passages - frequency + 0.5) / (frequency + 0.5)), places });
    }
    // Equal weights stay in the order of the question: that of the numbers tells of hidden passages.
    return weighed.sort((x, y) => y.weight - x.weight);
  }

  *#applySteps({ removedDocuments, added }: PartitionChange, asOf: number): Generator<void, void> {
    const dimensions = addedDimensions(added);
    const built: LiveSegment[] = [];
    for (let i = 0; i < added.length; i += SEGMENT_PASSAGES_MAX) {
      const some = added.slice(i, i + SEGMENT_PASSAGES_MAX);
      built.push(wholeSegment(yield* buildSteps(some, this.#vocabulary, dimensions, asOf)));
    }
    const left = this.#segments
      .map((live) => withoutDocuments(live, removedDocuments))
      .filter((live) => live.passages > 0);
    const stored = dimensionsOf(left);
    if (dimensions !== null && stored !== null && dimensions !== stored) {
      throw lengthConflict("A passage's", dimensions, stored);
    }
    this.#asOf = asOf;
    this.#become([...left, ...built]);
    for (const document of this.#merging ? removedDocuments : []) this.#removedMeanwhile.push(document);
    this.#merging ??= this.#mergeAll();
  }

  /** Null: there is nothing to merge. */
  #mergeAll(): Promise<void> | null {
    const dimensions = dimensionsOf(this.#segments);
    return this.#merge(segmentsToMerge(this.#segments, dimensions), dimensions);
  }

  /** Null: there is nothing to merge. */
  #merge(sources: readonly LiveSegment[], dimensions: number | null): Promise<void> | null {
    if (sources.length === 0) return null;
    this.#removedMeanwhile = [];
    return this.#mergeInSlices(sources, dimensions).then(() => {
      this.#merging = this.#mergeAll();
    });
  }

  async #mergeInSlices(sources: readonly LiveSegment[], dimensions: number | null): Promise<void> {
    const asOf = this.#asOf;
    const from = sources.map(mergeSource);
    const [arrays, rest] = await Promise.all([
      this.#builder ? this.#builder.merge(from, dimensions) : inSlices(mergeArrays(from, dimensions)),
      inSlices(mergeRest(sources)),
    ]);
    const merged = wholeSegment({ ...rest, arrays, asOf, removals: noRemovals() });
    this.#replace(sources, withoutDocuments(merged, this.#removedMeanwhile));
  }

  #replace(sources: readonly LiveSegment[], merged: LiveSegment): void {
    const gone = new Set(sources.map(({ segment }) => segment));
    const kept = this.#segments.filter(({ segment }) => !gone.has(segment));
    this.#become(merged.passages > 0 ? [...kept, merged] : kept);
  }

  #become(segments: readonly LiveSegment[]): void {
    const kept = new Set(segments.map(({ segment }) => segment));
    const dropped = this.segments.filter((segment) => !kept.has(segment));
    this.#segments = segments;
    if (dropped.length > 0) this.#reclaim.dropped(dropped);
  }
}

function filtered(readable: readonly Searchable[], condition: Condition): Searchable[] {
  for (const field of fieldsOf(condition)) {
    if (readable.some((searchable) => hasField(searchable, field))) continue;
    throw new RaglineError(
      "request_invalid",
      `filter.${field}: no document has this field (${describeFields(readable)}).`,
    );
  }
  return readable.map(({ live, allowed }) => {
    const mask = evaluate(condition, live.segment);
    if (allowed) for (let i = 0; i < mask.length; i++) mask[i] = (mask[i] as number) & (allowed[i] as number);
    return { live, allowed: mask };
  });
}

/** The fields that passages which may be returned have, for an error message. */
function describeFields(readable: readonly Searchable[]): string {
  const names = new Set(readable.flatMap(({ live }) => [...live.segment.columns.keys()]));
  const known = [...names]
    .filter((name) => readable.some((searchable) => hasField(searchable, name)))
    .sort((a, b) => (a < b ? -1 : 1));
  if (known.length === 0) return "none has any";
  const more = known.length > FIELDS_NAMED_MAX ? ", …" : "";
  return `known fields: ${known.slice(0, FIELDS_NAMED_MAX).join(", ")}${more}`;
}

/** Whether a passage that may be returned has a value of the field. */
function hasField({ live, allowed }: Searchable, field: string): boolean {
  const codes = live.segment.columns.get(field)?.codes;
  return codes?.some((code, i) => code > 0 && (!allowed || (allowed[i] as number) === 1)) ?? false;
}

function dimensionsOf(segments: readonly LiveSegment[]): number | null {
  return segments.find(({ segment }) => segment.arrays.vectors)?.segment.arrays.vectors?.dimensions ?? null;
}

/** The length of all added vectors; null where there is none. */
function addedDimensions(added: readonly ResidentPassage[]): number | null {
  let dimensions: number | null = null;
  for (const { vector } of added) {
    if (!vector) continue;
    dimensions ??= vector.length;
    if (vector.length !== dimensions) throw lengthConflict("A passage's", vector.length, dimensions);
  }
  return dimensions;
}

function lengthConflict(whose: string, length: number, stored: number): RaglineError {
  return new RaglineError("conflict", `${whose} vector has ${length} dimensions, the stored ones ${stored}.`);
}
