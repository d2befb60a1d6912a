import type { Filter, Scope } from "../../types.ts";
import type { Readable } from "./postgres-readable.ts";
import { Remembered } from "./remembered.ts";

/** What scopes may read, remembered: with all their terms some 20 MB. */
const SCOPES_MAX = 64;
const TERMS_MAX = 5000;
const FILTERS_MAX = 100;

/** What a search begins with. */
export interface Beginning {
  readonly found: Readable;
  /** How many documents match the filter; null: many, or there is none. */
  readonly few: number | null;
}

/** What was asked for. */
interface Asked {
  readonly terms: ReadonlyMap<number, number>;
  readonly filter: Filter | null;
}

interface Known {
  /** With the terms of all questions so far. */
  readonly found: Readable & { readonly frequencies: Map<number, number> };
  /** By filter. */
  readonly few: Map<string, number | null>;
}

/** What was read of collections in one version each, by scope: a search that knows it begins with the search itself. */
export class KnownCollections {
  readonly #scopes = new Remembered<string, Known>({ weightMax: SCOPES_MAX, weightOf: () => 1 });

  /** Null: some of it is not known. It holds as long as the collection's version is the same, which the search finds out. */
  find(scope: Scope, { terms, filter }: Asked): Beginning | null {
    const known = this.#scopes.get(keyOf(scope));
    const few = filter ? known?.few.get(JSON.stringify(filter)) : null;
    if (!known || few === undefined) return null;
    const { found } = known;
    for (const term of terms.keys()) if (!found.frequencies.has(term)) return null;
    return { found, few };
  }

  add(scope: Scope, { terms, filter }: Asked, { found, few }: Beginning): void {
    const key = keyOf(scope);
    const before = this.#scopes.get(key);
    const isSame = before?.found.epoch === found.epoch && before.found.version === found.version;
    const known = before && isSame ? before : { found: { ...found, frequencies: new Map() }, few: new Map() };
    const { frequencies } = known.found;
    if (frequencies.size > TERMS_MAX) frequencies.clear();
    for (const term of terms.keys()) frequencies.set(term, found.frequencies.get(term) ?? 0);
    if (known.few.size > FILTERS_MAX) known.few.clear();
    if (filter) known.few.set(JSON.stringify(filter), few);
    this.#scopes.add(key, known);
  }
}

function keyOf({ tenant, collection, groups }: Scope): string {
  return JSON.stringify([tenant, collection, groups]);
}
