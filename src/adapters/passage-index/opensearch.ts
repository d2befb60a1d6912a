import { createBreather } from "../../breather.ts";
import { RaglineError } from "../../errors.ts";
import type { FusionStore } from "../../ports/fusion-store.ts";
import type {
  DocumentPage,
  IndexStatus,
  PassageIndex,
  ReplaceOptions,
  SearchQuery,
  SearchResult,
} from "../../ports/passage-index.ts";
import type { Transfer } from "../../ports/transfer.ts";
import { memoizedStem } from "../../text/tokens.ts";
import type { CallOptions, Document, DocumentEntry, PassageInput, Scope } from "../../types.ts";
import { pageOf } from "./document-page.ts";
import { checkDocument } from "./opensearch-checks.ts";
import { MISSING, OpenSearchClient, type OpenSearchOptions, refusalBehind, refused } from "./opensearch-client.ts";
import { filterQuery } from "./opensearch-filter.ts";
import { OpenSearchFusionStore } from "./opensearch-fusion.ts";
import { groupsAmong, type Readers } from "./opensearch-groups.ts";
import { cosine, type LegHit, scored, textScore } from "./opensearch-hits.ts";
import { readIn } from "./opensearch-indexes.ts";
import { hasForeign, isOneState, type KnownPassage, OpenSearchPassages } from "./opensearch-passages.ts";
import * as queries from "./opensearch-queries.ts";
import { type DocumentRecord, toEntry } from "./opensearch-records.ts";
import { type FilteredResponse, found, hasFailed, NOTHING, type Response, SEARCHES } from "./opensearch-responses.ts";
import { endingOf, type IndexLayout, statesOf } from "./opensearch-schema.ts";
import { type CollectionState, CollectionStates } from "./opensearch-states.ts";
import { type PassageTokens, passageTokens } from "./opensearch-terms.ts";
import { createOpenSearchTransfer } from "./opensearch-transfer.ts";
import { CollectionWrites } from "./opensearch-writes.ts";
import { recentFusion } from "./recent-fusion.ts";
import { checkedFields } from "./sortable-filter.ts";
import { checkVector, isSame, type Space, spaceConflict } from "./vector-space.ts";

export interface OpenSearchIndexOptions extends OpenSearchOptions, IndexLayout {}

interface Hit<T> {
  readonly _source: T;
}

/** A commit between the two legs of one search, or a deletion behind them, is met by searching again. */
const SEARCH_ATTEMPTS = 5;

/**
 * Passages in OpenSearch 3 with its k-NN plugin, an index a collection. Both legs are one round trip (`_msearch`), and passages not
 * read before another; what is hidden is looked up by the engine itself. Text is compared by Ragline's own tokens.
 */
export class OpenSearchPassageIndex implements PassageIndex {
  readonly fusion: FusionStore;
  readonly transfer: Transfer;
  readonly #client: OpenSearchClient;
  readonly #passages: OpenSearchPassages;
  readonly #states: CollectionStates;
  readonly #space: Space;
  readonly #writes = new Map<string, CollectionWrites>();
  readonly #stem = memoizedStem();

  /** @throws RaglineError `config_invalid`: a file of the options cannot be read */
  constructor(options: OpenSearchIndexOptions, embedder: Space) {
    this.#client = new OpenSearchClient(options);
    const { prefix, shards, replicas } = options;
    this.#states = new CollectionStates(this.#client, { prefix, shards, replicas });
    this.#space = embedder;
    this.#passages = new OpenSearchPassages(this.#client);
    this.fusion = recentFusion(new OpenSearchFusionStore(this.#client, this.#states));
    this.transfer = createOpenSearchTransfer(this.#client, this.#states);
  }

  async search(scope: Scope, query: SearchQuery, call: CallOptions): Promise<SearchResult> {
    if (query.vector) checkVector(query.vector, this.#space);
    const fields = query.filter ? checkedFields(query.filter) : [];
    for (let attempt = 0; attempt < SEARCH_ATTEMPTS; attempt++) {
      const [byText = [], byVector = []] = await this.#searchOnce(scope, query, call);
      const passages = await this.#passages.read([...byText, ...byVector], call);
      if (!passages || !isOneState(passages)) continue;
      if (fields.length > 0) await this.#checkFields(scope, fields, passages, call);
      if (query.vector && hasForeign(passages, endingOf(this.#space))) await this.#checkSpace(scope, call);
      return { byText: scored(byText, passages, textScore), byVector: scored(byVector, passages, cosine) };
    }
    throw new RaglineError("dependency_failed", "The index changed too often to be read.");
  }

  async replace(
    scope: Scope,
    document: Document,
    passages: readonly PassageInput[],
    call: ReplaceOptions,
  ): Promise<void> {
    checkDocument(document, passages, this.#space);
    const pause = createBreather();
    const tokens: PassageTokens[] = [];
    for (const { text, headings } of passages) {
      tokens.push(passageTokens({ title: document.title, headings, text }, this.#stem));
      await pause();
    }
    await this.#writesOf(scope).replace(scope, document, passages, tokens, call);
  }

  async delete(scope: Scope, documentId: string, call: CallOptions): Promise<boolean> {
    if (!(await this.find(scope, documentId, call))) return false;
    return this.#writesOf(scope).delete(scope, documentId, call);
  }

  purge(scope: Scope, call: CallOptions): Promise<void> {
    return this.#writesOf(scope).purge(scope, call);
  }

  async has(scope: Scope, documentId: string, call: CallOptions): Promise<boolean> {
    const seen = { ...this.#seen(scope), groups: null };
    const body = { ...queries.documentSearch(seen, 1, { term: { document: documentId } }), _source: false };
    return (await this.#documents(scope, body, call)).length > 0;
  }

  async find(scope: Scope, documentId: string, call: CallOptions): Promise<DocumentEntry | null> {
    const condition = { term: { document: documentId } };
    const [found] = await this.#documents(scope, queries.documentSearch(this.#seen(scope), 1, condition), call);
    return found ? toEntry(found) : null;
  }

  groups(scope: Scope, call: CallOptions): Promise<string[]> {
    const seen = { ...this.#seen(scope), groups: null };
    return groupsAmong(async (size, after) => {
      const found = await this.#search(scope, queries.readersSearch(seen, size, after), call);
      return (found.aggregations as { readonly readers: Readers } | undefined)?.readers ?? { buckets: [] };
    });
  }

  async list(
    scope: Scope,
    { after, limit }: { readonly after?: string; readonly limit: number },
    call: CallOptions,
  ): Promise<DocumentPage> {
    const body = queries.documentSearch(this.#seen(scope), limit + 1);
    const from = after === undefined ? body : { ...body, search_after: [after] };
    const found = await this.#documents(scope, from, call);
    return pageOf(found, limit, toEntry);
  }

  async version(scope: Scope, call: CallOptions): Promise<string> {
    const state = await this.#states.find(scope, call);
    return state ? `${state.id}:${state.version}` : "";
  }

  async status(scope: Scope, call: CallOptions): Promise<IndexStatus> {
    const [counted, state] = await Promise.all([
      this.#search(scope, queries.documentCounts(this.#seen(scope)), call),
      this.#states.find(scope, call),
    ]);
    const documents = counted.hits.total?.value ?? 0;
    const sums = counted.aggregations as { readonly passages: { readonly value: number } } | undefined;
    // Of documents that one may not read not even the space is known.
    return {
      documents,
      passages: sums?.passages.value ?? 0,
      embedder: documents > 0 ? (state?.model ?? null) : null,
    };
  }

  async close(): Promise<void> {
    for (const writes of this.#writes.values()) await writes.settled();
    await this.#client.close();
  }

  /** The hits by text, and those by the vector. */
  async #searchOnce(scope: Scope, { text, vector, filter, limit }: SearchQuery, call: CallOptions) {
    const seen = this.#seen(scope);
    const wanted = filter ? { ...seen, matching: filterQuery(filter) } : seen;
    const responses = await this.#searches(
      scope,
      [
        ...(text === undefined ? [] : [queries.textSearch(wanted, text, limit, this.#stem)]),
        ...(vector ? [queries.vectorSearch(wanted, vector, limit)] : []),
      ],
      call,
    );
    const legs = responses.map(({ hits }) => hits.hits as readonly LegHit[]);
    return text === undefined ? [[], ...legs] : legs;
  }

  /** Several searches of one collection in one round trip. */
  async #searches(scope: Scope, bodies: readonly object[], call: CallOptions): Promise<Response[]> {
    if (bodies.length === 0) return [];
    const responses = await this.#ask(this.#states.names(scope).read, bodies, call);
    const checked: Response[] = [];
    for (const [i, response] of responses.entries()) {
      checked.push(hasFailed(response) ? await this.#instead(scope, bodies[i] ?? {}, response, call) : found(response));
    }
    return checked;
  }

  async #ask(index: string, bodies: readonly object[], call: CallOptions): Promise<readonly FilteredResponse[]> {
    const header = JSON.stringify({
      index,
      allow_partial_search_results: false,
      ...(this.#states.layout.shards > 1 && { search_type: "dfs_query_then_fetch" }),
      ...cancelledInTime(call),
    });
    // Each by itself: digits, of which a vector has thousands, are written faster where they stand with no other letters.
    const lines = Buffer.concat(bodies.map((body) => Buffer.from(`${header}\n${JSON.stringify(body)}\n`)));
    const path = `${SEARCHES}&max_concurrent_searches=${bodies.length}`;
    const { responses } = (await this.#client.request({ method: "POST", path, lines }, call)) as {
      readonly responses: readonly FilteredResponse[];
    };
    return responses;
  }

  /** What stands for a search that failed: nothing, where there is nothing, or what the collection's own index says. */
  async #instead(scope: Scope, body: object, response: FilteredResponse, call: CallOptions): Promise<Response> {
    if (response.error === undefined) {
      throw new RaglineError("dependency_timeout", "OpenSearch did not finish the search in time.");
    }
    const failure = refused(response.status ?? 500, response.error);
    if (refusalBehind(failure)?.type === MISSING) {
      const state = await this.#states.find(scope, call);
      if (state && state.documents > 0) throw failure;
      return NOTHING;
    }
    // Vectors of another length than the stored ones: of another space.
    if (!JSON.stringify(response.error).includes("invalid dimension")) throw failure;
    const state = await this.#checkSpace(scope, call);
    if (!state || !isSame(state, this.#space)) return NOTHING;
    // The alias names an index of another space besides.
    const [own] = await this.#ask(this.#states.names(scope).index(state.epoch, state), [body], call);
    if (!own || hasFailed(own)) throw failure;
    return found(own);
  }

  /** @throws RaglineError `conflict`, where what may be read is of another vector space */
  async #checkSpace(scope: Scope, call: CallOptions): Promise<CollectionState | null> {
    const [state, { documents }] = await Promise.all([this.#states.find(scope, call), this.status(scope, call)]);
    if (state && documents > 0 && !isSame(state, this.#space)) throw spaceConflict(scope, state, this.#space);
    return state;
  }

  /**
   * Most of what is found has the fields that it was found by; only where none does is the engine asked whether anything visible has.
   * @throws RaglineError `request_invalid`
   */
  async #checkFields(
    scope: Scope,
    fields: readonly string[],
    passages: ReadonlyMap<string, KnownPassage>,
    call: CallOptions,
  ): Promise<void> {
    const unseen = new Set(fields);
    for (const { passage } of passages.values()) {
      if (unseen.size === 0) return;
      for (const field of unseen) if (Object.hasOwn(passage.metadata, field)) unseen.delete(field);
    }
    if (unseen.size === 0) return;
    const looks = [...unseen].map((field) => queries.fieldSearch(this.#seen(scope), field));
    const looked = await this.#searches(scope, looks, call);
    const missing = [...unseen].find((_, i) => (looked[i]?.hits.total?.value ?? 0) === 0);
    if (missing !== undefined) throw await this.#unknownField(scope, missing, call);
  }

  async #unknownField(scope: Scope, field: string, call: CallOptions): Promise<RaglineError> {
    const found = await this.#search(scope, queries.fieldNames(this.#seen(scope)), call);
    const { names } = (found.aggregations ?? { names: { buckets: [] } }) as {
      readonly names: { readonly buckets: readonly { readonly key: string }[] };
    };
    const known = names.buckets.map(({ key }) => key);
    const more = known.length > queries.FIELDS_NAMED_MAX ? ", …" : "";
    const listed = `known fields: ${known.slice(0, queries.FIELDS_NAMED_MAX).join(", ")}${more}`;
    const message = `filter.${field}: no document has this field (${known.length === 0 ? "none has any" : listed}).`;
    return new RaglineError("request_invalid", message);
  }

  async #documents(scope: Scope, body: object, call: CallOptions): Promise<DocumentRecord[]> {
    const found = (await this.#search(scope, body, call)) as Response<Hit<DocumentRecord>>;
    return found.hits.hits.map(({ _source }) => _source);
  }

  async #search(scope: Scope, body: object, call: CallOptions): Promise<Response> {
    const path = `/${this.#states.names(scope).read}/_search?allow_partial_search_results=false`;
    const read = () => this.#client.request({ method: "POST", path, body }, call) as Promise<Response>;
    return (await readIn(this.#client, statesOf(this.#states.layout), read, call)) ?? NOTHING;
  }

  #seen(scope: Scope): queries.Visible {
    return { states: statesOf(this.#states.layout), key: this.#states.names(scope).key, groups: scope.groups };
  }

  #writesOf(scope: Scope): CollectionWrites {
    const { key } = this.#states.names(scope);
    let writes = this.#writes.get(key);
    if (!writes) {
      writes = new CollectionWrites(this.#client, this.#states, this.#space);
      this.#writes.set(key, writes);
    }
    return writes;
  }
}

/** So that the engine too stops when the caller has no use for it any more; it also does when the connection goes. */
function cancelledInTime({ deadline }: CallOptions): object {
  if (deadline === undefined) return {};
  return { cancel_after_time_interval: `${Math.max(1, Math.ceil(deadline - performance.now()))}ms` };
}
