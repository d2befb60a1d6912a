import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { DocumentEntry } from "../types.ts";
import type { Pair } from "./merge.ts";

/**
 * What is to become of a document in the target.
 * `copy`, `delete`: what the source says now. `same`: nothing.
 * `newer`: it was written there after it was written in the source. `gone`: it was deleted there after it was copied.
 * `foreign`: the source lacks it, and this run has not brought it.
 * `altered`: it was copied, and the target gives it back otherwise.
 */
export type Decision = "same" | "copy" | "delete" | "newer" | "gone" | "foreign" | "altered";

/**
 * The versions of documents that were carried over: those of this run, by 48 bits each of a hash (some 40 bytes of memory), and, of a
 * run before, all that were indexed until `since`. A version is named by its time, which is the source's also in the target.
 */
export class CarriedVersions {
  readonly #since: string;
  readonly #carried = new Set<number>();
  #latest = "";

  /** `since`: ISO 8601, UTC, with milliseconds. */
  constructor(since?: string) {
    this.#since = since ?? "";
    this.#latest = this.#since;
  }

  add(entry: DocumentEntry): void {
    this.#carried.add(keyOf(entry));
    if (entry.indexedAt > this.#latest) this.#latest = entry.indexedAt;
  }

  /** When the latest of them was indexed; null: there are none. */
  get latest(): string | null {
    return this.#latest || null;
  }

  has(entry: DocumentEntry): boolean {
    return entry.indexedAt <= this.#since || this.wereCarriedNow(entry);
  }

  /** In this run. */
  wereCarriedNow(entry: DocumentEntry): boolean {
    return this.#carried.has(keyOf(entry));
  }
}

/** Of two versions the later one holds, but for the one that was carried over, which the source's own succeeds whatever the clocks say. */
export function decide({ source, target }: Pair, carried: CarriedVersions): Decision {
  if (!source) return carried.wereCarriedNow(target) ? "delete" : "foreign";
  if (!target) return carried.has(source) ? "gone" : "copy";
  const isLater = source.indexedAt > target.indexedAt;
  if (isAlike(source, target) && !isLater) return "same";
  if (carried.wereCarriedNow(source)) return source.indexedAt < target.indexedAt ? "newer" : "altered";
  return isLater || source.indexedAt === target.indexedAt || carried.has(target) ? "copy" : "newer";
}

function isAlike({ indexedAt: _, ...a }: DocumentEntry, { indexedAt: __, ...b }: DocumentEntry): boolean {
  return isDeepStrictEqual(a, b);
}

function keyOf({ id, indexedAt, hash, passages }: DocumentEntry): number {
  const digest = createHash("sha256")
    .update(JSON.stringify([id, indexedAt, hash, passages]))
    .digest();
  return digest.readUIntBE(0, 6);
}
