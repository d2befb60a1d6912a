import type { SearchQuery } from "../../ports/passage-index.ts";
import type { RowHit } from "../../resident/partition.ts";
import type { Scope } from "../../types.ts";

/** Kept at most: more questions than that do not wait for their vectors at once. */
const LEGS_MAX = 512;

interface Leg {
  /** Of the index that was searched. */
  readonly state: object;
  readonly byText: readonly RowHit[];
}

/** The text legs of searches whose vectors are still on their way. */
export class TextsAhead {
  readonly #legs = new Map<string, Leg>();

  put(scope: Scope, query: SearchQuery, state: object, byText: readonly RowHit[]): void {
    const [oldest] = this.#legs.keys();
    if (oldest !== undefined && this.#legs.size >= LEGS_MAX) this.#legs.delete(oldest);
    this.#legs.set(keyOf(scope, query), { state, byText });
  }

  /** Null where there is none, or the index has changed since. */
  take(scope: Scope, query: SearchQuery, state: object): readonly RowHit[] | null {
    if (this.#legs.size === 0 || query.text === undefined) return null;
    const key = keyOf(scope, query);
    const leg = this.#legs.get(key);
    this.#legs.delete(key);
    return leg?.state === state ? leg.byText : null;
  }
}

function keyOf({ tenant, collection, groups }: Scope, { text, limit, filter }: SearchQuery): string {
  return JSON.stringify([tenant, collection, groups, text, limit, filter]);
}
