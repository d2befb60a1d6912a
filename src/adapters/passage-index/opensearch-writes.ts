import { randomUUID } from "node:crypto";
import { setImmediate as yieldToOthers } from "node:timers/promises";
import { RaglineError } from "../../errors.ts";
import type { ReplaceOptions } from "../../ports/passage-index.ts";
import { isReadable, replacementRefusal } from "../../replaceable.ts";
import type { CallOptions, Document, PassageInput, Scope } from "../../types.ts";
import { type OpenSearchClient, refused, tooLate } from "./opensearch-client.ts";
import { documentSearch, type Visible } from "./opensearch-queries.ts";
import { bulkLines, type DocumentRecord, type NewVersion } from "./opensearch-records.ts";
import { documentKey, statesOf } from "./opensearch-schema.ts";
import { type CollectionState, type CollectionStates, type Commit, overdue } from "./opensearch-states.ts";
import type { PassageTokens } from "./opensearch-terms.ts";
import { isSame, type Space, spaceConflict } from "./vector-space.ts";
import { BATCH_DOCUMENTS_MAX, type QueuedWrite, WriteQueue } from "./write-queue.ts";

const BULK_CHARACTERS_MAX = 8_000_000;
/** Another process writes the same document. */
const LOCKED_WAIT_MS = 25;
const LOCKED_WAIT_MAX_MS = 30_000;

/** One document's. */
interface DocumentWrite {
  readonly scope: Scope;
  /** Null: the document goes. */
  readonly version: Omit<NewVersion, "generation"> | null;
  /** See `ReplaceOptions`. */
  readonly readableOnly: boolean;
}

type Write = QueuedWrite<DocumentWrite>;

/** A write under way in its batch. */
interface Announcement {
  readonly write: Write;
  readonly generation: string;
  readonly key: string;
}

/**
 * Writes of one collection, those that come meanwhile together. A version is written under a generation that is hidden, then shown
 * in the same instant as the one before is hidden: see `CollectionStates`. Every search of any process sees one or the other.
 */
export class CollectionWrites {
  readonly #client: OpenSearchClient;
  readonly #states: CollectionStates;
  readonly #space: Space;
  readonly #queue: WriteQueue<DocumentWrite>;
  /** Generations of writes that failed on their way; a commit among them may have come through all the same. */
  readonly #givenUp = new Set<string>();
  #sweeping: Promise<void> | null = null;

  constructor(client: OpenSearchClient, states: CollectionStates, space: Space) {
    this.#client = client;
    this.#states = states;
    this.#space = space;
    this.#queue = new WriteQueue(
      (batch) => this.#write(batch),
      ({ version }) => version?.passages.length ?? 0,
      tooLate,
    );
  }

  async replace(
    scope: Scope,
    document: Document,
    passages: readonly PassageInput[],
    tokens: readonly PassageTokens[],
    call: ReplaceOptions,
  ): Promise<void> {
    const { readableOnly = false } = call;
    const version = { document, passages, tokens };
    await this.#queue.add(documentKey(document.id), { scope, version, readableOnly }, call);
  }

  /** False: there was no such document that the scope may read. */
  delete(scope: Scope, documentId: string, call: CallOptions): Promise<boolean> {
    return this.#queue.add(documentKey(documentId), { scope, version: null, readableOnly: false }, call);
  }

  /** Resolves when what is overdue is deleted. */
  async purge(scope: Scope, call: CallOptions): Promise<void> {
    const state = await this.#states.find(scope, call);
    if (state) this.#sweep(scope, state);
    await this.#sweeping;
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    await this.#queue.settled();
    await this.#sweeping;
  }

  async #write(batch: readonly Write[]): Promise<void> {
    const [first] = batch;
    if (!first) return;
    const { scope } = first.what;
    const call: CallOptions = { signal: new AbortController().signal };
    const announcements = batch.map((write) => ({ write, generation: newGeneration(), key: write.key }));
    const sent = announcements.map(({ generation, key }) => ({ generation, key }));
    const givenUp = [...this.#givenUp];
    const state = await this.#states.announce(scope, this.#space, sent, givenUp, call).catch((thrown: unknown) => {
      for (const { generation } of sent) this.#givenUp.add(generation);
      throw thrown;
    });
    for (const generation of givenUp) this.#givenUp.delete(generation);
    if (!isSame(state, this.#space)) throw spaceConflict(scope, state, this.#space);
    const pending = new Set(state.hidden.filter(({ isOver }) => !isOver).map(({ generation }) => generation));
    const mine = announcements.filter(({ generation }) => pending.has(generation));
    const locked = announcements.filter(({ generation }) => !pending.has(generation));
    this.#waitFor(locked);
    try {
      const [before, failed] = await Promise.all([this.#before(scope, mine, call), this.#bulk(state, mine, call)]);
      for (const { write, generation, key } of mine) {
        const refusal = refusalOf(
          write,
          before.find((record) => record.key === key),
        );
        if (refusal) failed.set(generation, refusal);
      }
      await this.#commit(scope, mine, before, failed, call);
    } catch (thrown) {
      for (const { generation } of mine) this.#givenUp.add(generation);
      throw thrown;
    }
    this.#sweep(scope, state);
  }

  /** Their documents are being written by somebody else. */
  #waitFor(locked: readonly Announcement[]): void {
    for (const { write } of locked) {
      if (performance.now() - write.since > LOCKED_WAIT_MAX_MS) {
        write.done.reject(new RaglineError("conflict", "Another process is writing the same document."));
      } else {
        this.#queue.again(write, LOCKED_WAIT_MS);
      }
    }
  }

  /** What is there of the documents. They are locked: nothing of it changes meanwhile. */
  async #before(scope: Scope, mine: readonly Announcement[], call: CallOptions): Promise<DocumentRecord[]> {
    const names = this.#states.names(scope);
    const seen: Visible = { states: statesOf(this.#states.layout), key: names.key, groups: null };
    const condition = { terms: { key: mine.map(({ key }) => key) } };
    const body = documentSearch(seen, 2 * BATCH_DOCUMENTS_MAX, condition);
    const path = `/${names.read}/_search?allow_partial_search_results=false`;
    const found = (await this.#client.request({ method: "POST", path, body }, call)) as {
      readonly hits: { readonly hits: readonly { readonly _source: DocumentRecord }[] };
    };
    return found.hits.hits.map(({ _source }) => _source);
  }

  /** Makes the new generations durable and searchable, hidden as they are. Resolves to what was refused, by generation. */
  async #bulk(
    state: CollectionState,
    mine: readonly Announcement[],
    call: CallOptions,
  ): Promise<Map<string, RaglineError>> {
    const failed = new Map<string, RaglineError>();
    const [first] = mine;
    if (!first) return failed;
    const alias = this.#states.names(first.write.what.scope).write(state.epoch);
    const averageLength = averageOf(state, mine);
    const indexedAt = new Date().toISOString();
    let lines = "";
    let requests = 0;
    const flush = async (isLast: boolean) => {
      const refresh = isLast && requests === 0;
      requests++;
      const path = `/${alias}/_bulk?require_alias=true${refresh ? "&refresh=true" : ""}`;
      noteFailures(await this.#client.request({ method: "POST", path, lines }, call), failed);
      lines = "";
    };
    for (const { write, generation } of mine) {
      const { version } = write.what;
      if (!version) continue;
      for (const line of bulkLines({ ...version, generation }, averageLength, indexedAt)) {
        lines += line;
        if (lines.length > BULK_CHARACTERS_MAX) await flush(false);
      }
      await yieldToOthers();
    }
    if (lines !== "") await flush(true);
    if (requests > 1) await this.#client.request({ method: "POST", path: `/${alias}/_refresh` }, call);
    return failed;
  }

  async #commit(
    scope: Scope,
    mine: readonly Announcement[],
    before: readonly DocumentRecord[],
    failed: ReadonlyMap<string, RaglineError>,
    call: CallOptions,
  ): Promise<void> {
    const commits: Commit[] = [];
    const useless: string[] = [];
    for (const { write, generation, key } of mine) {
      const old = before.filter((record) => record.key === key);
      const hasNone = !write.what.version && !old.some(({ entry }) => isReadable(entry, write.what.scope));
      if (failed.has(generation) || hasNone) useless.push(generation);
      else commits.push({ generation, key, ...changeOf(write, old) });
    }
    const state = commits.length > 0 ? await this.#states.commit(scope, commits, call) : null;
    const lost = new Set(state?.hidden.map(({ generation }) => generation));
    if (useless.length > 0) await this.#states.giveUp(scope, useless, call).catch(() => undefined);
    for (const { write, generation } of mine) {
      const failure = failed.get(generation);
      if (failure) write.done.reject(failure);
      else if (lost.has(generation))
        write.done.reject(new RaglineError("conflict", "Another process took the document over."));
      else write.done.resolve(!useless.includes(generation));
    }
  }

  /** Beside everything else; what it does not get done the next one does. */
  #sweep(scope: Scope, state: CollectionState): void {
    if (this.#sweeping || overdue(state.hidden).length === 0) return;
    const call: CallOptions = { signal: new AbortController().signal };
    this.#sweeping = this.#states
      .sweep(scope, state, call)
      .catch(() => undefined)
      .finally(() => {
        this.#sweeping = null;
      });
  }
}

/** They are locked: what is there of the document is what would be replaced. */
function refusalOf({ what }: Write, stored: DocumentRecord | undefined): RaglineError | null {
  if (!what.readableOnly || !what.version || !stored) return null;
  return replacementRefusal(what.scope, stored.entry, what.version.document);
}

function newGeneration(): string {
  return `${Date.now().toString(36)}-${randomUUID()}`;
}

function changeOf({ what: { version } }: Write, old: readonly DocumentRecord[]): Omit<Commit, "generation" | "key"> {
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
  return {
    over: old.map(({ generation }) => generation),
    documents: (version ? 1 : 0) - old.length,
    passages: (version?.passages.length ?? 0) - sum(old.map(({ passages }) => passages)),
    tokens: sum(version?.tokens.map(({ length }) => length) ?? []) - sum(old.map(({ tokens }) => tokens)),
  };
}

/** Of the collection as it was, and of what comes. */
function averageOf({ passages, tokens }: CollectionState, mine: readonly Announcement[]): number {
  const lengths = mine.flatMap(({ write }) => write.what.version?.tokens.map(({ length }) => length) ?? []);
  const count = passages + lengths.length;
  return count === 0 ? 1 : (tokens + lengths.reduce((sum, length) => sum + length, 0)) / count;
}

function noteFailures(response: unknown, failed: Map<string, RaglineError>): void {
  const { errors, items } = response as {
    readonly errors: boolean;
    readonly items: readonly {
      readonly index: { readonly _id: string; readonly status: number; readonly error?: unknown };
    }[];
  };
  if (!errors) return;
  for (const { index } of items) {
    const [, generation = ""] = index._id.split(":");
    if (index.status >= 300) failed.set(generation, refused(index.status, index.error));
  }
}
