import type { CallOptions, Passage } from "../../types.ts";
import { type OpenSearchClient, refusalBehind, refused } from "./opensearch-client.ts";
import { type PassageRecord, toPassage } from "./opensearch-records.ts";
import { recentBy } from "./recent-passages.ts";

/** A passage, and what its record says of where it belongs. */
export interface KnownPassage {
  readonly passage: Passage;
  readonly generation: string;
  /** The name of the index that it is in. */
  readonly index: string;
}

/** Where a record lies: in an index by its own name, as an alias may name several. */
export interface RecordPlace {
  readonly _index: string;
  readonly _id: string;
}

interface FoundRecord extends RecordPlace {
  readonly _source?: PassageRecord;
  readonly error?: unknown;
}

const FIELDS = ["generation", "document", "ordinal", "passage"];

/**
 * Passages by their records' ids, each of which names one text for ever: a version that is written anew has a generation of its own.
 * One is given only for a hit of the search before, hence to a scope that may read it.
 */
export class OpenSearchPassages {
  readonly #client: OpenSearchClient;
  readonly #recent = recentBy<string, KnownPassage>(({ passage }) => passage);

  constructor(client: OpenSearchClient) {
    this.#client = client;
  }

  /** All of them by id, in one round trip where some are not known; null: some are not there any more. */
  async read(places: readonly RecordPlace[], call: CallOptions): Promise<ReadonlyMap<string, KnownPassage> | null> {
    const known = this.#recent.known(places.map(({ _id }) => _id));
    if (known) return known;
    const indexes = new Map(places.map(({ _id, _index }) => [_id, _index]));
    const wanted = new Set(indexes.keys());
    const found = await this.#recent.all(wanted, (missing) => {
      return this.#fetch(
        missing.map((_id) => ({ _id, _index: indexes.get(_id) ?? "" })),
        call,
      );
    });
    return found.size < wanted.size ? null : found;
  }

  async #fetch(places: readonly RecordPlace[], call: CallOptions): Promise<Map<string, KnownPassage>> {
    const docs = places.map((place) => ({ ...place, _source: FIELDS }));
    const read = (await this.#client.request({ method: "POST", path: "/_mget", body: { docs } }, call)) as {
      readonly docs: readonly FoundRecord[];
    };
    const passages = new Map<string, KnownPassage>();
    for (const { _index, _id, _source, error } of read.docs) {
      if (error !== undefined) throwUnlessGone(error);
      if (!_source) continue;
      passages.set(_id, { passage: toPassage(_source), generation: _source.generation, index: _index });
    }
    return passages;
  }
}

/** An index goes once nothing of it is visible. */
function throwUnlessGone(error: unknown): void {
  const failure = refused(503, error);
  if (refusalBehind(failure)?.type !== "index_not_found_exception") throw failure;
}

/** No document is there in two versions. */
export function isOneState(passages: ReadonlyMap<string, KnownPassage>): boolean {
  const generations = new Map<string, string>();
  for (const { passage, generation } of passages.values()) {
    const other = generations.get(passage.documentId);
    if (other === undefined) generations.set(passage.documentId, generation);
    else if (other !== generation) return false;
  }
  return true;
}

/** `ending`: how the names of indexes end whose vectors are of the right space. */
export function hasForeign(passages: ReadonlyMap<string, KnownPassage>, ending: string): boolean {
  for (const { index } of passages.values()) if (!index.endsWith(ending)) return true;
  return false;
}
