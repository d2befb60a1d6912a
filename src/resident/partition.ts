import { RaglineError } from "../errors.ts";
import type { Filter } from "../types.ts";
import { select } from "./columns.ts";
import { type Condition, evaluate, fieldsOf, readFilter } from "./filter.ts";
import { type Searchable, searchText, searchVectors } from "./legs.ts";
import { mergeSegments } from "./merge.ts";
import { buildSegment, type LiveSegment, type ResidentPassage, withoutDocuments } from "./segment.ts";
import type { RowHit } from "./top.ts";
import { Vocabulary } from "./vocabulary.ts";

export type { ResidentPassage } from "./segment.ts";
export type { RowHit } from "./top.ts";

/** How many known fields an error names. */
const FIELDS_NAMED_MAX = 20;

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

/**
 * The searchable passages of one tenant's collection, in memory: BM25 over postings in typed arrays and an exact scan of
 * the vectors. Segments are immutable and removals are marked in a copy, so that a search sees one state throughout.
 */
export class Partition {
  readonly #vocabulary = new Vocabulary();
  #segments: readonly LiveSegment[] = [];

  /** Live passages. */
  get passages(): number {
    return this.#segments.reduce((sum, live) => sum + live.passages, 0);
  }

  /**
   * Makes the change visible at once, as a whole. Rejects with `conflict`, changing nothing, where an added vector has
   * another length than the partition's.
   */
  apply({ removedDocuments, added }: PartitionChange): void {
    const left = this.#segments.map((live) => withoutDocuments(live, removedDocuments));
    const dimensions = commonDimensions(left, added);
    if (added.length > 0) {
      const segment = buildSegment(added, this.#vocabulary, dimensions);
      const tokens = segment.lengths.reduce((sum, length) => sum + length, 0);
      left.push({ segment, removed: null, passages: segment.size, tokens });
    }
    this.#segments = mergeSegments(left, this.#vocabulary, dimensions);
  }

  /**
   * Both legs, best first, each on its own scale: BM25 above 0, cosine −1 to 1. Equal scores are ordered by row.
   * Rejects with `request_invalid` where the filter is malformed or names a field that no passage readable by `groups`
   * has, and with `conflict` where the vector has another length than the stored ones.
   */
  search({ vector, text, limit, filter, groups }: PartitionQuery): { byText: RowHit[]; byVector: RowHit[] } {
    const readable = this.#segments.map((live) => ({ live, allowed: readableMask(live, groups) }));
    const dimensions = dimensionsOf(this.#segments);
    if (vector && dimensions !== null && vector.length !== dimensions) {
      throw lengthConflict("The query's", vector.length, dimensions);
    }
    const searchables = filter ? filtered(readable, readFilter(filter)) : readable;
    return {
      byText: text === undefined ? [] : searchText(searchables, text, this.#vocabulary, limit),
      byVector: vector === undefined ? [] : searchVectors(searchables, vector, limit),
    };
  }
}

/** What is neither removed nor of other groups; null where that is everything. */
function readableMask({ segment, removed }: LiveSegment, groups: readonly string[]): Uint8Array | null {
  const { values } = segment.groups;
  const isOpen = (of: readonly string[] | undefined) =>
    of === undefined || of.length === 0 || of.some((group) => groups.includes(group));
  if (values.every(isOpen)) return removed ? removed.map((gone) => 1 - gone) : null;
  const mask = select(segment.groups, isOpen);
  if (removed) for (let i = 0; i < mask.length; i++) mask[i] = (mask[i] as number) & (1 - (removed[i] as number));
  return mask;
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
  return segments.find(({ segment }) => segment.vectors)?.segment.vectors?.dimensions ?? null;
}

/** The length of all vectors, kept and added; null where there is none. */
function commonDimensions(segments: readonly LiveSegment[], added: readonly ResidentPassage[]): number | null {
  let dimensions = dimensionsOf(segments.filter((live) => live.passages > 0));
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
