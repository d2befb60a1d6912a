import type { Fusion, FusionStore, StoredPassage } from "../../ports/fusion-store.ts";
import type { CallOptions, Scope } from "../../types.ts";
import type { OpenSearchClient } from "./opensearch-client.ts";
import { createdOnce, orNull, storedIn } from "./opensearch-indexes.ts";
import { documentSearch } from "./opensearch-queries.ts";
import { type DocumentRecord, type PassageRecord, recordId } from "./opensearch-records.ts";
import { fusionsOf, plainIndex, statesOf } from "./opensearch-schema.ts";
import type { CollectionStates } from "./opensearch-states.ts";
import { type SamplePlace, samplePlaces } from "./sample-places.ts";

const DOCUMENTS_PAGE = 2000;
const PASSAGES_BATCH = 128;

type Place = SamplePlace<DocumentRecord>;

/** What was learned about collections, in an index of its own. */
export class OpenSearchFusionStore implements FusionStore {
  readonly #client: OpenSearchClient;
  readonly #states: CollectionStates;

  constructor(client: OpenSearchClient, states: CollectionStates) {
    this.#client = client;
    this.#states = states;
  }

  async sample(scope: Scope, limit: number, call: CallOptions): Promise<StoredPassage[]> {
    const places = await this.#places(scope, limit, call);
    const sample: StoredPassage[] = [];
    for (let i = 0; i < places.length; i += PASSAGES_BATCH) {
      const ids = places.slice(i, i + PASSAGES_BATCH).map(idOf);
      const path = `/${this.#states.names(scope).read}/_search?allow_partial_search_results=false`;
      const body = { size: ids.length, _source: ["passage", "vector"], query: { ids: { values: ids } } };
      const found = (await this.#client.request({ method: "POST", path, body }, call)) as Hits<PassageRecord>;
      const byId = new Map(found.hits.hits.map(({ _id, _source }) => [_id, _source]));
      sample.push(...ids.flatMap((id) => toStored(byId.get(id))));
    }
    return sample;
  }

  async load(scope: Scope, call: CallOptions): Promise<Fusion | null> {
    const { layout } = this.#states;
    const found = await storedIn(this.#client, fusionsOf(layout), this.#states.names(scope).key, call);
    return (found as { readonly learned: Fusion } | undefined)?.learned ?? null;
  }

  async save(scope: Scope, learned: Fusion, call: CallOptions): Promise<void> {
    if (!(await this.#states.find(scope, call))) return;
    const { tenant, collection } = scope;
    const index = fusionsOf(this.#states.layout);
    const path = `/${index}/_doc/${this.#states.names(scope).key}`;
    await createdOnce(this.#client, index, plainIndex(this.#states.layout), call);
    await this.#client.request({ method: "PUT", path, body: { tenant, collection, learned } }, call);
    await this.#states.change(scope, call);
  }

  /** Evenly spread over all passages, in the order of document ids. */
  async #places(scope: Scope, limit: number, call: CallOptions): Promise<Place[]> {
    const documents: DocumentRecord[] = [];
    const { key, read } = this.#states.names(scope);
    const seen = { states: statesOf(this.#states.layout), key, groups: scope.groups };
    const path = `/${read}/_search?allow_partial_search_results=false`;
    for (let after: string | undefined; ; ) {
      const body = { ...documentSearch(seen, DOCUMENTS_PAGE), ...(after !== undefined && { search_after: [after] }) };
      const page = await orNull(this.#client.request({ method: "POST", path, body }, call));
      const found = page ? (page as Hits<DocumentRecord>).hits.hits.map(({ _source }) => _source) : [];
      documents.push(...found);
      after = found.at(-1)?.document;
      if (found.length < DOCUMENTS_PAGE) break;
    }
    return samplePlaces(documents, limit);
  }
}

interface Hits<T> {
  readonly hits: { readonly hits: readonly { readonly _id: string; readonly _source: T }[] };
}

function idOf({ document: { key, generation }, ordinal }: Place): string {
  return recordId(key, generation, ordinal);
}

function toStored(record: PassageRecord | undefined): StoredPassage[] {
  if (!record) return [];
  const { title, headings, text } = record.passage;
  return [{ title, headings, text, vector: record.vector ? Float32Array.from(record.vector) : null }];
}
