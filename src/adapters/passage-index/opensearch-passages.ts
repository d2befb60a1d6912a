import type { CallOptions, Passage } from "../../types.ts";
import { type OpenSearchClient, refusalBehind, refused } from "./opensearch-client.ts";
import { type PassageRecord, toPassage } from "./opensearch-records.ts";
import { recentBy } from "./recent-passages.ts";

/** A passage, and what its record says of where it belongs. */
export interface KnownPassage {
  readonly passage: Passage;
  readonly generation: string;
  /** It is in an index of another vector space. */
  readonly isForeign: boolean;
}

interface FoundRecord {
  readonly _index: string;
  readonly _id: string;
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
  readonly #ending: string;
  readonly #recent = recentBy<string, KnownPassage>(({ passage }) => passage);

  /** `ending`: how the names of indexes end whose vectors are of the right space. */
  constructor(client: OpenSearchClient, ending: string) {
    this.#client = client;
    this.#ending = ending;
  }

  /** By id, all of them, in one round trip where some are not known; null: some are not in the index, or its alias, any more. */
  async read(
    index: string,
    ids: readonly string[],
    call: CallOptions,
  ): Promise<ReadonlyMap<string, KnownPassage> | null> {
    const known = this.#recent.known(ids);
    if (known) return known;
    const wanted = new Set(ids);
    const found = await this.#recent.all(wanted, (missing) => this.#fetch(index, missing, call));
    return found.size < wanted.size ? null : found;
  }

  async #fetch(index: string, ids: readonly string[], call: CallOptions): Promise<Map<string, KnownPassage>> {
    const docs = ids.map((_id) => ({ _index: index, _id, _source: FIELDS }));
    const read = (await this.#client.request({ method: "POST", path: "/_mget", body: { docs } }, call)) as {
      readonly docs: readonly FoundRecord[];
    };
    const passages = new Map<string, KnownPassage>();
    for (const { _index, _id, _source, error } of read.docs) {
      if (error !== undefined) throwUnlessGone(error);
      if (!_source) continue;
      const isForeign = !_index.endsWith(this.#ending);
      passages.set(_id, { passage: toPassage(_source), generation: _source.generation, isForeign });
    }
    return passages;
  }
}

/** An index goes once nothing of it is visible. */
function throwUnlessGone(error: unknown): void {
  const failure = refused(503, error);
  if (refusalBehind(failure)?.type !== "index_not_found_exception") throw failure;
}
