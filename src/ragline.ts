import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import type { z } from "zod";
import type { CallerOptions, IndexOptions, Readiness, SearchResponse, Status, TurnPage } from "./api.ts";
import { Background } from "./background.ts";
import type { Config } from "./config.ts";
import { RaglineError } from "./errors.ts";
import { readDocument } from "./ingest/document.ts";
import { type IngestReport, ingest, ingestDocument } from "./ingest/ingest.ts";
import { ask } from "./pipeline/ask.ts";
import { embedQuery } from "./pipeline/embed.ts";
import { rerank } from "./pipeline/rerank.ts";
import { search } from "./pipeline/search.ts";
import type { Question, Stages } from "./pipeline/stages.ts";
import type { DocumentPage } from "./ports/passage-index.ts";
import {
  type AskRequest,
  type Defined,
  type DocumentInput,
  type DocumentListRequest,
  defined,
  parseRequest,
  requestSchemas,
  type SearchRequest,
  type TurnsRequest,
} from "./requests.ts";
import { Run } from "./run.ts";
import type { AnswerEvent, DocumentEntry, Filter, Scope, Session } from "./types.ts";
import { type WholeAnswer, wholeAnswer } from "./whole-answer.ts";

export const VERSION = "0.1.0";

/** Limit for what runs after an answer's last byte. */
const BACKGROUND_TIMEOUT_MS = 30_000;

interface Composed {
  saveCounts(): Status["saves"];
  close(): Promise<void>;
}

/** Questions in, answers out; made by `createRagline`. Every method fails with a `RaglineError`. */
export class Ragline {
  readonly config: Config;
  readonly schemas: ReturnType<typeof requestSchemas>;
  readonly log: Logger;
  readonly #stages: Stages;
  readonly #composed: Composed;
  readonly #background: Background;
  #closed = false;

  /** Use `createRagline` of `index.ts`. */
  constructor(config: Config, stages: Stages, composed: Composed, log: Logger) {
    this.config = config;
    this.schemas = requestSchemas(config);
    this.log = log;
    this.#stages = stages;
    this.#composed = composed;
    this.#background = new Background({
      timeoutMs: BACKGROUND_TIMEOUT_MS,
      onFailure: (error) => log.error({ err: error }, "work after an answer failed"),
    });
  }

  /**
   * Streams one answer: `answer-start`, `source-list`, `text-delta` …, then `answer-end` or `answer-error`, which is last.
   * Where nothing has begun it fails instead: it throws `request_invalid`, and rejects where the conversation cannot be loaded. Leaving the loop, or
   * aborting the signal, stops all work for it.
   */
  ask(request: AskRequest, caller: CallerOptions = {}): AsyncGenerator<AnswerEvent, void, undefined> {
    const parsed = this.#parse(this.schemas.ask, request);
    const question: Question = {
      requestId: caller.requestId ?? randomUUID(),
      scope: this.#scope(parsed.collection, caller),
      sessionId: parsed.sessionId ?? randomUUID(),
      question: parsed.question,
      history: parsed.history ?? null,
      filter: (parsed.filter as Filter | undefined) ?? null,
      top: parsed.top ?? null,
      useCache: parsed.cache ?? true,
    };
    const run = this.#run({ ...caller, requestId: question.requestId }, parsed.timeoutMs);
    return ask(this.#stages, question, run, (task) => this.#background.later(task));
  }

  /** Like `ask`, whole. @throws RaglineError what would be `answer-error`. */
  answer(request: AskRequest, caller: CallerOptions = {}): Promise<WholeAnswer> {
    return wholeAnswer(this.ask(request, caller));
  }

  /** Name of the model that answers. */
  get modelName(): string {
    return this.#stages.model.model;
  }

  /** Finds passages without answering. */
  async search(request: SearchRequest, caller: CallerOptions = {}): Promise<SearchResponse> {
    const { query, collection, filter, top, rerank: wanted } = this.#parse(this.schemas.search, request);
    const asked = { scope: this.#scope(collection, caller), filter: (filter as Filter | undefined) ?? null };
    const run = this.#run(caller);
    const stages = this.#stages;
    const keep = top ?? stages.settings.keep;
    const vector = await run.may("embed", (call) => embedQuery(stages, query, call), {
      instead: "searched by text alone",
      value: null,
    });
    const found = await run.must(
      "search",
      (call) => search(stages, asked, query, vector, call),
      stages.settings.searchRetries,
    );
    const hits =
      wanted === false
        ? found.slice(0, keep)
        : await run.may("rerank", (call) => rerank(stages, query, found, keep, call), {
            instead: "kept the order of search",
            value: found.slice(0, keep),
          });
    return { hits, found, timings: run.timings, degraded: run.degraded };
  }

  /** Indexes files, folders and globs: Markdown, plain text, HTML, JSONL. Unchanged documents are skipped. */
  async index(sources: readonly string[], options: IndexOptions = {}): Promise<IngestReport> {
    const { collection, prune = false, onProgress, signal = new AbortController().signal } = options;
    return ingest(sources, this.#ingestStages, {
      scope: this.#scope(this.#parse(this.schemas.collection, collection), options),
      prune,
      chunk: this.#chunkOptions(),
      signal,
      ...(onProgress && { onProgress }),
    });
  }

  /** Adds or replaces one document. `changed` is false where the very same one is stored. */
  async addDocument(
    input: DocumentInput,
    caller: CallerOptions = {},
  ): Promise<{ id: string; changed: boolean; passages: number }> {
    const { collection, ...document } = this.#parse(this.schemas.document, input);
    const scope = this.#scope(collection, caller);
    const { signal = new AbortController().signal } = caller;
    const options = { scope, chunk: this.#chunkOptions(), signal, embedTimeoutMs: this.config.server.timeoutMs };
    const source = readDocument(document);
    return { id: source.id, ...(await ingestDocument(source, this.#ingestStages, options)) };
  }

  async listDocuments(page: DocumentListRequest = {}, caller: CallerOptions = {}): Promise<DocumentPage> {
    const { collection, limit, after } = this.#parse(this.schemas.list, page);
    const scope = this.#scope(collection, caller);
    return this.#store("search", caller, (call) =>
      this.#stages.index.list(scope, after === undefined ? { limit } : { after, limit }, call),
    );
  }

  async findDocument(id: string, collection?: string, caller: CallerOptions = {}): Promise<DocumentEntry | null> {
    const scope = this.#scope(this.#parse(this.schemas.collection, collection), caller);
    const documentId = this.#parse(this.schemas.documentId, id);
    return this.#store("search", caller, (call) => this.#stages.index.find(scope, documentId, call));
  }

  /** Resolves to false where there was nothing to delete. */
  async deleteDocument(id: string, collection?: string, caller: CallerOptions = {}): Promise<boolean> {
    const scope = this.#scope(this.#parse(this.schemas.collection, collection), caller);
    const documentId = this.#parse(this.schemas.documentId, id);
    return this.#store("search", caller, (call) => this.#stages.index.delete(scope, documentId, call));
  }

  /**
   * A conversation as the next prompt would see it, or null: its latest 100 turns after those that the summary stands for.
   * `readTurns` has the originals of all.
   */
  async readSession(id: string, collection?: string, caller: CallerOptions = {}): Promise<Session | null> {
    const scope = this.#scope(this.#parse(this.schemas.collection, collection), caller);
    const sessionId = this.#parse(this.schemas.sessionId, id);
    const session = await this.#store("session", caller, (call) =>
      this.#stages.sessions.load(scope, sessionId, 100, call),
    );
    return session.version === 0 ? null : session;
  }

  /** Turns in their original form, oldest first: the first, or those after a number. */
  async readTurns(id: string, page: TurnsRequest = {}, caller: CallerOptions = {}): Promise<TurnPage> {
    const { collection, limit, after } = this.#parse(this.schemas.turns, page);
    const scope = this.#scope(collection, caller);
    const sessionId = this.#parse(this.schemas.sessionId, id);
    const numbers = Array.from({ length: limit + 1 }, (_, i) => after + 1 + i);
    const found = await this.#store("session", caller, (call) =>
      this.#stages.sessions.turns(scope, sessionId, numbers, call),
    );
    const turns = found.slice(0, limit);
    const last = turns.at(-1);
    return found.length > limit && last ? { turns, next: last.number } : { turns };
  }

  /** Resolves to false where there was nothing to delete. */
  async deleteSession(id: string, collection?: string, caller: CallerOptions = {}): Promise<boolean> {
    const scope = this.#scope(this.#parse(this.schemas.collection, collection), caller);
    const sessionId = this.#parse(this.schemas.sessionId, id);
    return this.#store("session", caller, (call) => this.#stages.sessions.delete(scope, sessionId, call));
  }

  async status(collection?: string, caller: CallerOptions = {}): Promise<Status> {
    const scope = this.#scope(this.#parse(this.schemas.collection, collection), caller);
    const index = await this.#store("search", caller, (call) => this.#stages.index.status(scope, call));
    const { embedder, reranker, model, counter } = this.#stages;
    const { config } = this;
    return {
      version: VERSION,
      tenant: scope.tenant,
      collection: scope.collection,
      documents: index.documents,
      passages: index.passages,
      indexedWith: index.embedder,
      stages: {
        session: config.session.use,
        rewrite: config.rewrite.use,
        cache: config.cache.use === "none" ? "none" : `${config.cache.use}, ${config.cache.mode}`,
        embed: embedder.model,
        search: config.search.use,
        rerank: reranker?.model ?? "none",
        prompt: `counted by ${counter.name}`,
        generate: model.model,
      },
      tokens: { model: model.model, counter: counter.name, corrections: counter.corrections?.() ?? [] },
      saves: this.#composed.saveCounts(),
    };
  }

  /** Loads the index of a collection, so that its first question need not wait. */
  async warm(collection?: string, caller: CallerOptions = {}): Promise<void> {
    const signal = caller.signal ?? new AbortController().signal;
    await this.#stages.index.warm?.(this.#scope(collection, caller), { signal });
  }

  /** Whether questions can be answered now, and if not, what is missing. */
  async ready(caller: CallerOptions = {}): Promise<Readiness> {
    const missing: string[] = [];
    if (this.#closed) missing.push("closing: no new questions");
    try {
      const scope = this.#scope(undefined, caller);
      const { index, sessions } = this.#stages;
      await this.#store("search", caller, (call) => index.search(scope, { text: "ready", limit: 1 }, call));
      await this.#store("session", caller, (call) => sessions.load(scope, "ready", 1, call));
      const { documents, embedder } = await this.#store("search", caller, (call) => index.status(scope, call));
      if (documents === 0) missing.push("search: no documents are indexed; run `ragline index <path>`");
      if (embedder !== null && embedder !== this.#stages.embedder.model) {
        missing.push(`embed: the index was made with ${embedder}, configured is ${this.#stages.embedder.model}`);
      }
    } catch (thrown) {
      missing.push(thrown instanceof RaglineError ? `${thrown.step ?? "internal"}: ${thrown.message}` : "internal");
    }
    return { ready: missing.length === 0, missing };
  }

  /** Finishes what runs after answers, then closes every stage. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#background.close();
    await this.#composed.close();
  }

  get #ingestStages() {
    const { embedder, index, chunkCounter: counter } = this.#stages;
    return { embedder, index, counter };
  }

  #chunkOptions() {
    return { targetTokens: this.config.ingest.chunkTokens, overlapTokens: this.config.ingest.overlapTokens };
  }

  #scope(collection: string | undefined, caller: CallerOptions): Scope {
    return {
      tenant: caller.tenant ?? this.config.tenant,
      collection: collection ?? this.config.collection,
      groups: caller.groups ?? [],
    };
  }

  #store<T>(
    step: "search" | "session",
    caller: CallerOptions,
    call: Parameters<typeof Run.prototype.must<T>>[1],
  ): Promise<T> {
    return this.#run(caller).must(step, call);
  }

  #run(caller: CallerOptions, timeoutMs?: number): Run {
    const { settings } = this.#stages;
    return new Run({
      signal: caller.signal ?? new AbortController().signal,
      timeoutMs: timeoutMs ?? settings.timeoutMs,
      limitsMs: settings.limitsMs,
      onFailure: (error) => {
        if (error.status < 500) return;
        const { code, step, message, cause } = error;
        this.log.warn({ requestId: caller.requestId, code, step, err: cause }, message);
      },
    });
  }

  #parse<S extends z.ZodType>(schema: S, input: unknown): Defined<z.output<S>> {
    return defined(parseRequest(schema, input));
  }
}
