import { Kernels } from "./kernel.ts";
import type { Postings } from "./postings.ts";
import { TextLeg } from "./text-leg.ts";
import type { RowHit } from "./top.ts";
import { searchVectors } from "./vector-leg.ts";
import { type Desk, deskOf, type Vectors } from "./vectors.ts";

/** What a scan reads of a segment: typed arrays over memory that every thread can see. They never change. */
export interface SegmentArrays {
  readonly rows: Float64Array;
  /** Search tokens a passage. */
  readonly lengths: Uint32Array;
  readonly postings: Postings;
  /** Null where no passage has a vector. */
  readonly vectors: Vectors | null;
}

/** One segment's share of a scan. */
export interface ScanPart {
  readonly arrays: SegmentArrays;
  /** One byte a passage, 1 where a hit may be; null: everywhere. */
  readonly allowed: Uint8Array | null;
  /** Where each of the plan's terms stands in the postings; -1: nowhere. */
  readonly places: Int32Array;
}

/** A search with everything decided but the scores: plain data, the same on any thread. */
export interface ScanPlan {
  readonly parts: readonly ScanPart[];
  /** What each of the query's terms weighs: its inverse document frequency, as often as it is asked for. Falling. */
  readonly weights: Float64Array;
  readonly averageLength: number;
  /** Null: no vector leg. */
  readonly vector: Float32Array | null;
  /** Hits a leg, at most. */
  readonly limit: number;
}

/** Both legs, best first, each on its own scale. Equal scores are ordered by row. */
export interface ScanResult {
  readonly byText: RowHit[];
  readonly byVector: RowHit[];
}

/** Carries out plans on one thread, with that thread's working memory. */
export class Scanner {
  readonly #kernels = new Kernels();
  readonly #textLeg = new TextLeg();
  readonly #desk: Desk;

  /** `thread`: another number for each of the threads that scan the same segments. */
  constructor(thread: number) {
    this.#desk = deskOf(thread);
  }

  scan(plan: ScanPlan): ScanResult {
    return {
      byText: this.#textLeg.search(plan),
      byVector: plan.vector ? searchVectors(plan.parts, plan.vector, plan.limit, this.#kernels, this.#desk) : [],
    };
  }
}
