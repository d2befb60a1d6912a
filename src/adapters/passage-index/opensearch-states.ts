import { randomUUID } from "node:crypto";
import type { CallOptions, Scope } from "../../types.ts";
import { type OpenSearchClient, refusalBehind } from "./opensearch-client.ts";
import { createdOnce, orNull, storedIn } from "./opensearch-indexes.ts";
import {
  type CollectionNames,
  collectionIndex,
  type IndexLayout,
  namesOf,
  plainIndex,
  statesOf,
} from "./opensearch-schema.ts";
import { isSame, type Space } from "./vector-space.ts";

/** A generation that no search shows: one that is being written (its document is locked by it), or one that is over. */
export interface HiddenGeneration {
  readonly generation: string;
  /** Of its document. */
  readonly key: string;
  /** Since when, in milliseconds since 1970, by the clock of who hid it. */
  readonly at: number;
  readonly isOver: boolean;
}

/** What the collection is as a whole: one document, changed by scripts alone, each atomic. */
export interface CollectionState extends Space {
  readonly id: string;
  /** Counts the vector spaces that it has had. */
  readonly epoch: number;
  /** See `NEXT_VERSION`. */
  readonly version: number;
  readonly documents: number;
  readonly passages: number;
  /** Search tokens of all passages together. */
  readonly tokens: number;
  readonly hidden: readonly HiddenGeneration[];
}

export interface Announced {
  readonly generation: string;
  readonly key: string;
}

export interface Commit extends Announced {
  /** Generations that it replaces. */
  readonly over: readonly string[];
  /** By how much the counts change. */
  readonly documents: number;
  readonly passages: number;
  readonly tokens: number;
}

/** A writer that has not committed for so long is dead: longer than its bulk request may take. */
const LEASE_MS = 90_000;
/** So long what is over stays, for searches that began before: longer than a search may take. */
const GRACE_MS = 60_000;
const CONFLICTS_MAX = 100;
/** Collections whose names are remembered: every call needs them, and they are hashes. */
const NAMES_MAX = 10_000;

/** The time in microseconds, or one more than the last: of an index that was restored from a snapshot never one that a lost change had. */
const NEXT_VERSION =
  "long next = ctx._source.version + 1; if (next < params.now * 1000) next = params.now * 1000; ctx._source.version = next;";

/**
 * Gives up what the writer does not know the end of, hides new generations and locks their documents. One that is announced already, or whose document is locked, is passed over. An
 * empty collection that nobody writes to takes over the writer's vector space; another space is left as it is.
 */
const ANNOUNCE = `
def s = ctx._source; def locked = new HashSet(); boolean changed = false;
for (def h : s.hidden) {
  if (h.isOver) continue;
  if (h.at + params.leaseMs > params.now && !params.givenUp.contains(h.generation)) locked.add(h.key);
  else { h.isOver = true; h.at = params.now; changed = true; }
}
boolean same = s.model == params.model && s.dimensions == params.dimensions;
if (!same && s.documents == 0 && locked.isEmpty()) {
  s.model = params.model; s.dimensions = params.dimensions; s.epoch += 1; s.passages = 0; s.tokens = 0; same = true; changed = true;
  ${NEXT_VERSION}
}
if (same) for (def w : params.writes) {
  if (!locked.add(w.key)) continue;
  s.hidden.add(['generation': w.generation, 'key': w.key, 'at': params.now, 'isOver': false]); changed = true;
}
if (!changed) ctx.op = 'none';`;

/** Shows generations and hides those that they replace, all at once. One that is not locked any more is passed over. */
const COMMIT = `
def s = ctx._source; def commits = new HashMap(); boolean changed = false;
for (def c : params.commits) commits.put(c.generation, c);
def hidden = new ArrayList();
for (def h : s.hidden) {
  def c = h.isOver ? null : commits.get(h.generation);
  if (c == null) { hidden.add(h); continue; }
  for (def g : c.over) hidden.add(['generation': g, 'key': c.key, 'at': params.now, 'isOver': true]);
  s.documents += c.documents; s.passages += c.passages; s.tokens += c.tokens; changed = true;
}
if (changed) { s.hidden = hidden; ${NEXT_VERSION} } else { ctx.op = 'none'; }`;

/** Gives up generations that were announced. */
const GIVE_UP = `
boolean changed = false;
for (def h : ctx._source.hidden) if (!h.isOver && params.generations.contains(h.generation)) { h.isOver = true; h.at = params.now; changed = true; }
if (!changed) ctx.op = 'none';`;

/** Forgets generations of which nothing is left. */
const FORGET = `if (!ctx._source.hidden.removeIf(h -> params.generations.contains(h.generation))) ctx.op = 'none';`;

const CHANGE = NEXT_VERSION;

export class CollectionStates {
  readonly layout: IndexLayout;
  readonly #client: OpenSearchClient;
  /** Collections and epochs whose index was seen. */
  readonly #made = new Set<string>();
  readonly #names = new Map<string, CollectionNames>();

  constructor(client: OpenSearchClient, layout: IndexLayout) {
    this.#client = client;
    this.layout = layout;
  }

  names(scope: Scope): CollectionNames {
    const key = JSON.stringify([scope.tenant, scope.collection]);
    let names = this.#names.get(key);
    if (!names) {
      if (this.#names.size >= NAMES_MAX) this.#names.clear();
      names = namesOf(this.layout, scope);
      this.#names.set(key, names);
    }
    return names;
  }

  /** As it is now; null: nothing was ever written to it. */
  async find(scope: Scope, call: CallOptions): Promise<CollectionState | null> {
    const found = await storedIn(this.#client, statesOf(this.layout), this.names(scope).key, call);
    return (found as CollectionState | undefined) ?? null;
  }

  /** See `ANNOUNCE`: what it comes to is in the state. The index is there afterwards, where the space is the writer's. */
  async announce(
    scope: Scope,
    space: Space,
    writes: readonly Announced[],
    givenUp: readonly string[],
    call: CallOptions,
  ): Promise<CollectionState> {
    const { tenant, collection } = scope;
    const nothing = { version: 0, documents: 0, passages: 0, tokens: 0, hidden: [] };
    const { model, dimensions } = space;
    const upsert = { id: randomUUID(), tenant, collection, model, dimensions, epoch: 0, ...nothing };
    const params = { model, dimensions, writes, givenUp, leaseMs: LEASE_MS };
    const run = () => this.#run(scope, ANNOUNCE, params, call, { upsert, scripted_upsert: true });
    const state = await run().catch(async (thrown: unknown) => {
      if (refusalBehind(thrown)?.status !== 404) throw thrown;
      await createdOnce(this.#client, statesOf(this.layout), plainIndex(this.layout), call);
      return run();
    });
    if (isSame(state, space)) await this.#makeIndex(scope, state, call);
    return state;
  }

  commit(scope: Scope, commits: readonly Commit[], call: CallOptions): Promise<CollectionState> {
    return this.#run(scope, COMMIT, { commits }, call);
  }

  async giveUp(scope: Scope, generations: readonly string[], call: CallOptions): Promise<void> {
    await this.#run(scope, GIVE_UP, { generations }, call);
  }

  /** Another version, though nothing was written. False: the collection is unknown. */
  async change(scope: Scope, call: CallOptions): Promise<boolean> {
    return (await orNull(this.#run(scope, CHANGE, {}, call))) !== null;
  }

  /** Deletes what is long over. The generations are forgotten once no search can find anything of them. */
  async sweep(scope: Scope, { hidden }: CollectionState, call: CallOptions): Promise<void> {
    const generations = overdue(hidden);
    if (generations.length === 0) return;
    const query = { terms: { generation: generations } };
    const path = `/${this.names(scope).read}/_delete_by_query?refresh=true&conflicts=proceed`;
    const done = (await this.#client.request({ method: "POST", path, body: { query } }, call)) as {
      readonly version_conflicts: number;
      readonly failures: readonly unknown[];
    };
    if (done.version_conflicts > 0 || done.failures.length > 0) return;
    await this.#run(scope, FORGET, { generations }, call);
  }

  async #run(
    scope: Scope,
    source: string,
    params: object,
    call: CallOptions,
    more: object = {},
  ): Promise<CollectionState> {
    const query = `_source=true&retry_on_conflict=${CONFLICTS_MAX}`;
    const path = `/${statesOf(this.layout)}/_update/${this.names(scope).key}?${query}`;
    const script = { lang: "painless", source, params: { ...params, now: Date.now() } };
    const updated = await this.#client.request({ method: "POST", path, body: { script, ...more } }, call);
    return (updated as { readonly get: { readonly _source: CollectionState } }).get._source;
  }

  /** The epoch's index, and none of an epoch before. It is searched once its shards have started: before, readers find nothing. */
  async #makeIndex(scope: Scope, state: CollectionState, call: CallOptions): Promise<void> {
    const names = this.names(scope);
    const { epoch } = state;
    const made = `${names.key}:${state.id}:${epoch}`;
    if (this.#made.has(made)) return;
    const index = names.index(epoch, state);
    const aliases = { [names.write(epoch)]: {} };
    await createdOnce(this.#client, index, { ...collectionIndex(this.layout, state), aliases }, call);
    await this.#turnTo(index, names, epoch, call);
    this.#made.add(made);
  }

  /**
   * The alias names this index alone, from one moment to the next; what it named before goes, of which nothing is visible. A writer that
   * was held up while another vector space took over leaves all as it is.
   */
  async #turnTo(index: string, names: CollectionNames, epoch: number, call: CallOptions): Promise<void> {
    const alias = names.read;
    const named = ((await orNull(this.#client.request({ method: "GET", path: `/_alias/${alias}` }, call))) ??
      {}) as object;
    const others = Object.keys(named).filter((other) => other !== index);
    if (others.some((other) => names.epochOf(other) > epoch)) return;
    if (others.length === 0 && index in named) return;
    const gone = others.map((other) => ({ remove_index: { index: other } }));
    const actions = [{ add: { index, alias } }, ...gone];
    await this.#client.request({ method: "POST", path: "/_aliases", body: { actions } }, call);
  }
}

export function overdue(hidden: readonly HiddenGeneration[]): string[] {
  const before = Date.now() - GRACE_MS;
  return hidden.filter(({ isOver, at }) => isOver && at < before).map(({ generation }) => generation);
}
