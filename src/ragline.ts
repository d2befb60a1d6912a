import type { Logger } from "pino";
import type { z } from "zod";
import type {
  AddedDocument,
  CallerOptions,
  EraseReport,
  IndexOptions,
  Readiness,
  ReindexOptions,
  SearchResponse,
  SessionPage,
  Status,
  TurnPage,
  WatchRequest,
} from "./api.ts";
import { Background } from "./background.ts";
import { Calls } from "./calls.ts";
import type { Config } from "./config.ts";
import { Documents } from "./documents.ts";
import { erase } from "./erasing.ts";
import type { IngestReport } from "./ingest/ingest.ts";
import type { ReindexReport } from "./ingest/reindex.ts";
import { ask } from "./pipeline/ask.ts";
import { find } from "./pipeline/find.ts";
import type { Stages } from "./pipeline/stages.ts";
import type { DocumentPage } from "./ports/passage-index.ts";
import { questionOf } from "./question.ts";
import {
  type AskRequest,
  type Defined,
  type DocumentInput,
  type DocumentListRequest,
  defined,
  type EraseRequest,
  type FileInput,
  parseRequest,
  requestSchemas,
  type SearchRequest,
  type SessionsRequest,
  type TurnsRequest,
} from "./requests.ts";
import { Sessions } from "./sessions.ts";
import { type Readers, readersOf, readiness, statusOf } from "./status.ts";
import { type MetricSources, Telemetry, type Traces } from "./telemetry/telemetry.ts";
import type { AnswerEvent, DocumentEntry, Filter, Session } from "./types.ts";
import { UnderWay } from "./under-way.ts";
import { warm } from "./warm.ts";
import { type WholeAnswer, wholeAnswer } from "./whole-answer.ts";

/** Limit for what runs after an answer's last byte. */
const BACKGROUND_TIMEOUT_MS = 30_000;
/** What closing waits for answers that it ends. */
const ENDING_MS = 5_000;
const CLOSED = "Ragline is closed.";

type Composed = MetricSources & { endpoints(): Status["endpoints"]; close(): Promise<void> };

/** Questions in, answers out; made by `createRagline`. Every method fails with a `RaglineError`. */
export class Ragline {
  readonly schemas: ReturnType<typeof requestSchemas>;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly #stages: Stages;
  readonly #calls: Calls;
  readonly #sessions: Sessions;
  readonly #documents: Documents;
  readonly #composed: Composed;
  readonly #background: Background;
  readonly #underWay = new UnderWay();
  #config: Config;
  #readers: Readers;
  #closing: Promise<void> | null = null;
  #warming = 0;

  /** Use `createRagline` of `index.ts`. */
  constructor(config: Config, stages: Stages, composed: Composed, log: Logger, traces: Traces | null = null) {
    this.#config = config;
    this.schemas = requestSchemas(config);
    this.log = log;
    this.#stages = stages;
    this.#readers = readersOf(config);
    this.telemetry = new Telemetry(composed, log, config, traces);
    this.#calls = new Calls(config, stages.settings, log, this.telemetry.runs);
    this.#sessions = new Sessions(this.schemas, stages.sessions, this.#calls);
    this.#composed = composed;
    this.#background = new Background({
      timeoutMs: BACKGROUND_TIMEOUT_MS,
      onFailure: (error) => log.error({ err: error }, "work after an answer failed"),
    });
    this.#documents = new Documents(config, this.schemas, stages, this.#calls, this.#background, log);
  }

  get config(): Config {
    return this.#config;
  }

  /** Whoever serves this over HTTP lets in these callers from now on, and readiness counts their groups; requests under way go on. */
  takeCallers(callers: NonNullable<Config["server"]["callers"]>): void {
    this.#config = { ...this.#config, server: { ...this.#config.server, callers } };
    this.#readers = readersOf(this.#config);
  }

  /**
   * Streams one answer: `answer-start`, `source-list`, `text-delta` …, then `answer-end` or `answer-error`, which is last.
   * Where nothing has begun it fails instead: it throws `request_invalid`, and rejects where the conversation cannot be loaded. Leaving the loop, or
   * aborting the signal, whether or not anybody reads on, stops all work for it and stores what was said as `interrupted`. Who just stops
   * reading leaves the question pending.
   */
  ask(request: AskRequest, caller: CallerOptions = {}): AsyncGenerator<AnswerEvent, void, undefined> {
    const parsed = this.#parse(this.schemas.ask, request);
    const scope = this.#calls.scope(parsed.collection, caller);
    const question = questionOf(parsed, scope, caller);
    const answer = this.telemetry.answer(question, caller.route, caller.name);
    const answering = this.#underWay.answering(caller);
    const run = this.#calls.ask({ requestId: question.requestId, signal: answering.signal }, parsed.timeoutMs, answer);
    const events = ask(this.#stages, question, run, (task) => this.#background.later(task));
    return answer.watch(events, run, answering);
  }

  /** Like `ask`, whole. @throws RaglineError what would be `answer-error`. */
  async answer(request: AskRequest, caller: CallerOptions = {}): Promise<WholeAnswer> {
    return wholeAnswer(this.ask(request, caller));
  }

  /** Name of the model that answers. */
  get modelName(): string {
    return this.#stages.model.model;
  }

  /** Finds passages without answering. */
  async search(request: SearchRequest, caller: CallerOptions = {}): Promise<SearchResponse> {
    const { query, collection, filter, top, rerank = true } = this.#parse(this.schemas.search, request);
    const scope = this.#calls.scope(collection, caller);
    const run = this.#calls.run(caller);
    const asked = { scope, filter: (filter as Filter | undefined) ?? null };
    const found = await find(this.#stages, { ...asked, query, keep: top ?? this.#stages.settings.keep, rerank }, run);
    return { ...found, timings: run.timeline.timings, degraded: run.degraded };
  }

  /** Indexes files, folders and globs: Markdown, plain text, HTML, PDF, DOCX, PPTX, XLSX, HWP, HWPX, JSONL. Unchanged documents are skipped. */
  index(sources: readonly string[], options: IndexOptions = {}): Promise<IngestReport> {
    return this.#documents.index(sources, options);
  }

  /**
   * Embeds a collection, all groups of it, with the configured embedder, and swaps. Searches in the old space go on until then;
   * a run that was stopped is taken up by the next.
   */
  reindex(options: ReindexOptions = {}): Promise<ReindexReport> {
    return this.#documents.reindex(options);
  }

  /** Indexes folders and files, and keeps the index as they are until the signal aborts. Changes are found within 2 seconds. */
  watch(paths: readonly string[], options: WatchRequest): Promise<void> {
    return this.#documents.watch(paths, options);
  }

  /** Adds or replaces one document. `changed` is false where the very same one is stored. */
  addDocument(input: DocumentInput, caller: CallerOptions = {}): Promise<AddedDocument> {
    return this.#documents.add(input, caller);
  }

  /** Adds or replaces one document that is a file: PDF, DOCX, PPTX, XLSX, HWP, HWPX, HTML, Markdown or text. */
  addFile(bytes: Uint8Array, input: FileInput, caller: CallerOptions = {}): Promise<AddedDocument> {
    return this.#documents.addFile(bytes, input, caller);
  }

  listDocuments(page: DocumentListRequest = {}, caller: CallerOptions = {}): Promise<DocumentPage> {
    return this.#documents.list(page, caller);
  }

  findDocument(id: string, collection?: string, caller: CallerOptions = {}): Promise<DocumentEntry | null> {
    return this.#documents.find(id, collection, caller);
  }

  /** Resolves to false where there was nothing to delete. */
  deleteDocument(id: string, collection?: string, caller: CallerOptions = {}): Promise<boolean> {
    return this.#documents.delete(id, collection, caller);
  }

  /**
   * A conversation as the next prompt would see it, or null: its latest 100 turns after those that the summary stands for.
   * `readTurns` has the originals of all.
   */
  readSession(id: string, collection?: string, caller: CallerOptions = {}): Promise<Session | null> {
    return this.#sessions.read(id, collection, caller);
  }

  /** Turns in their original form, oldest first: the first, or those after a number. Null: there is no such conversation. */
  readTurns(id: string, page: TurnsRequest = {}, caller: CallerOptions = {}): Promise<TurnPage | null> {
    return this.#sessions.turns(id, page, caller);
  }

  /** Resolves to false where there was nothing to delete. */
  deleteSession(id: string, collection?: string, caller: CallerOptions = {}): Promise<boolean> {
    return this.#sessions.delete(id, collection, caller);
  }

  /** Conversations of the caller's `user`, who must be named, the one that was last asked in first. */
  listSessions(page: SessionsRequest = {}, caller: CallerOptions = {}): Promise<SessionPage> {
    return this.#sessions.list(page, caller);
  }

  /**
   * Deletes all conversations of the caller's `user`, who must be named, in a collection, whatever groups they were held with. It takes as long as it
   * takes; what is asked meanwhile may stay. Resolves to how many there were.
   */
  deleteSessions(collection?: string, caller: CallerOptions = {}): Promise<number> {
    return this.#sessions.deleteAll(collection, caller);
  }

  /**
   * Deletes a tenant's collection for good: documents of every group, conversations, cached answers; fusion is learned anew, of nothing. It takes as long
   * as it takes; where it fails, what is gone is gone, and calling it again goes on. What is added or asked meanwhile may stay. What
   * remains for a while, and where: docs/http.md.
   */
  async erase(request: EraseRequest, caller: CallerOptions = {}): Promise<EraseReport> {
    const { collection } = this.#parse(this.schemas.erase, request);
    const scope = this.#calls.scope(collection, caller);
    const erased = await erase(this.#stages, scope, { signal: caller.signal ?? new AbortController().signal });
    this.#documents.erased(scope);
    return erased;
  }

  async status(collection?: string, caller: CallerOptions = {}): Promise<Status> {
    const scope = this.#calls.scope(this.#parse(this.schemas.collection, collection, "collection"), caller);
    const status = await statusOf(this.#config, this.#stages, scope, this.#calls.run(caller));
    return { ...status, saves: this.#composed.saveCounts(), endpoints: this.#composed.endpoints() };
  }

  /**
   * Loads a collection's index and the models, so that the first question need not wait; `settle`, after much was indexed: makes
   * the next start as fast. What a model lacks `ready` tells.
   */
  async warm(collection?: string, options: CallerOptions & { readonly settle?: boolean } = {}): Promise<void> {
    const scope = this.#calls.scope(collection, options);
    const { settle = false, signal = new AbortController().signal } = options;
    if (settle) await this.#stages.index.settle?.(scope, { signal });
    else {
      this.#warming++;
      await warm(this.#stages, scope, { signal }, this.log).finally(() => this.#warming--);
      this.#documents.refresh(scope);
    }
  }

  /**
   * Whether questions can be answered now, and if not, what is missing. What answers can do without is only `degraded`, but while it is
   * loaded for the first time. Documents count that one of `server.callers` may read, or the `groups` given. `onMissing`: is told each line of what is missing with the cause, which is for a log alone.
   */
  async ready(
    caller: CallerOptions = {},
    collection?: string,
    onMissing?: (line: string, cause: unknown) => void,
  ): Promise<Readiness> {
    if (this.#closing) return { ready: false, missing: ["closing: no new questions"], degraded: [] };
    const asked = this.#calls.scope(this.#parse(this.schemas.collection, collection, "collection"), caller);
    const { groups, mayBeEmpty } = this.#readers;
    const scope = caller.groups ? asked : { ...asked, groups };
    const state = { isWarming: this.#warming > 0, mayBeEmpty };
    return readiness(this.#stages, scope, this.#calls.run(caller), state, onMissing);
  }

  /**
   * Ends the answers under way: their readers get `answer-error` with `cancelled`, what was said is stored as `interrupted`, and that is waited
   * for, 5 seconds at most. Then finishes what runs after answers, and closes every stage. Calls after it fail with `overloaded`.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#calls.close(CLOSED);
    await this.#underWay.end(CLOSED, ENDING_MS);
    await this.#background.close();
    this.#documents.close();
    await this.#composed.close();
    await this.telemetry.traces?.close();
  }

  #parse<S extends z.ZodType>(schema: S, input: unknown, field?: string): Defined<z.output<S>> {
    return defined(parseRequest(schema, input, field));
  }
}
