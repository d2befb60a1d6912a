import { RaglineError } from "../../errors.ts";
import type { StoredDocument, Transfer } from "../../ports/transfer.ts";
import type { CallOptions, PassageInput, Scope } from "../../types.ts";
import type { OpenSearchClient } from "./opensearch-client.ts";
import { orNull } from "./opensearch-indexes.ts";
import { documentSearch } from "./opensearch-queries.ts";
import { type DocumentRecord, type PassageRecord, recordId, toEntry } from "./opensearch-records.ts";
import { statesOf } from "./opensearch-schema.ts";
import type { CollectionStates } from "./opensearch-states.ts";

const PASSAGES_BATCH = 128;
const PAGE = 1000;
/** A version that is replaced while it is read stays for a minute; one that went all the same is read again. */
const READ_ATTEMPTS = 5;

interface Hits<T> {
  readonly hits: { readonly hits: readonly { readonly _id: string; readonly _source: T }[] };
}

export function createOpenSearchTransfer(client: OpenSearchClient, states: CollectionStates): Transfer {
  const search = (index: string, body: object, call: CallOptions) => {
    const path = `/${index}/_search?allow_partial_search_results=false`;
    return orNull(client.request({ method: "POST", path, body }, call));
  };
  const seen = (scope: Scope, groups: readonly string[] | null) => {
    return { states: statesOf(states.layout), key: states.names(scope).key, groups };
  };

  async function passagesOf(scope: Scope, { key, generation, passages }: DocumentRecord, call: CallOptions) {
    const found: PassageInput[] = [];
    for (let from = 0; from < passages; from += PASSAGES_BATCH) {
      const size = Math.min(PASSAGES_BATCH, passages - from);
      const ids = Array.from({ length: size }, (_, i) => recordId(key, generation, from + i));
      const body = { size, _source: ["passage", "vector"], query: { ids: { values: ids } } };
      const page = (await search(states.names(scope).read, body, call)) as Hits<PassageRecord> | null;
      const byId = new Map(page?.hits.hits.map(({ _id, _source }) => [_id, _source]));
      for (const id of ids) {
        const record = byId.get(id);
        if (!record) return null;
        found.push(passage(record));
      }
    }
    return found;
  }

  return {
    // One bulk request and one refresh for all.
    writesAtOnce: 64,
    async collections(tenant, call) {
      const names: string[] = [];
      // Searches read states by their ids, which needs no refresh; this one looks for them.
      const refresh = `/${statesOf(states.layout)}/_refresh`;
      await orNull(client.request({ method: "POST", path: refresh }, call));
      for (let after: object = {}; ; ) {
        const sort = [{ collection: "asc" }];
        const body = { size: PAGE, _source: ["collection"], query: { term: { tenant } }, sort, ...after };
        const page = (await search(statesOf(states.layout), body, call)) as Hits<{ collection: string }> | null;
        const found = page?.hits.hits.map(({ _source }) => _source.collection) ?? [];
        names.push(...found);
        if (found.length < PAGE) return names;
        after = { search_after: [found.at(-1)] };
      }
    },

    async read(scope, documentId, call): Promise<StoredDocument | null> {
      for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        const condition = { term: { document: documentId } };
        const body = documentSearch(seen(scope, scope.groups), 1, condition);
        const page = (await search(states.names(scope).read, body, call)) as Hits<DocumentRecord> | null;
        const record = page?.hits.hits[0]?._source;
        if (!record) return null;
        const passages = await passagesOf(scope, record, call);
        if (passages) return { document: toEntry(record), passages };
      }
      throw new RaglineError("dependency_failed", "The document changed too often to be read.");
    },
  };
}

function passage({ passage: { text, headings, tokens, page, pageEnd }, vector }: PassageRecord): PassageInput {
  return {
    text,
    headings,
    tokens,
    vector: vector ? Float32Array.from(vector) : null,
    ...(page !== undefined && { page }),
    ...(pageEnd !== undefined && { pageEnd }),
  };
}
