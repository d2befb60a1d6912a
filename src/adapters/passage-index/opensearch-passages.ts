import type { CallOptions, Passage } from "../../types.ts";
import { type OpenSearchClient, refusalBehind, refused } from "./opensearch-client.ts";
import { type PassageRecord, toPassage } from "./opensearch-records.ts";
import { recentPassages } from "./recent-passages.ts";

/** What of a search's hit names its passage. */
export interface RecordPlace {
  readonly _index: string;
  readonly _id: string;
}

interface FoundRecord {
  readonly _id: string;
  readonly _source?: PassageRecord;
  readonly error?: unknown;
}

const FIELDS = ["document", "ordinal", "passage"];

/**
 * Passages by their records' ids, each of which names one text for ever: a version that is written anew has a generation of its own.
 * One is given only for a hit of the search before, hence to a scope that may read it.
 */
export class OpenSearchPassages {
  readonly #client: OpenSearchClient;
  readonly #recent = recentPassages<string>();

  constructor(client: OpenSearchClient) {
    this.#client = client;
  }

  /** By id, all of them, in one round trip where some are not known; null: some are gone meanwhile. */
  async read(hits: readonly RecordPlace[], call: CallOptions): Promise<ReadonlyMap<string, Passage> | null> {
    const places = new Map(hits.map(({ _id, _index }) => [_id, _index]));
    const found = await this.#recent.all(places.keys(), async (missing) => {
      const docs = missing.map((_id) => ({ _index: places.get(_id), _id, _source: FIELDS }));
      const read = (await this.#client.request({ method: "POST", path: "/_mget", body: { docs } }, call)) as {
        readonly docs: readonly FoundRecord[];
      };
      const passages = new Map<string, Passage>();
      for (const { _id, _source, error } of read.docs) {
        if (error !== undefined) throwUnlessGone(error);
        if (_source) passages.set(_id, toPassage(_source));
      }
      return passages;
    });
    return found.size < places.size ? null : found;
  }
}

/** An index goes once nothing of it is visible. */
function throwUnlessGone(error: unknown): void {
  const failure = refused(503, error);
  if (refusalBehind(failure)?.type !== "index_not_found_exception") throw failure;
}
