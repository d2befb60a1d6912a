import type { FusionStatus } from "./fusion/describe.ts";
import type { IngestProgress, IngestReport } from "./ingest/ingest.ts";
import type { ReindexProgress } from "./ingest/reindex.ts";
import type { TokenCorrection } from "./ports/token-counter.ts";
import type { Degradation, EndpointState, ModelCounts, ScoredPassage, Step, Timings, Turn } from "./types.ts";

/** Who asks, and until when. */
export interface CallerOptions {
  /** Abort it when the caller leaves: all work for the call stops, and what was said of an answer is stored. */
  readonly signal?: AbortSignal;
  /** Instead of the configured tenant: any text of 1 to 128 characters. Never take it from an unauthenticated client. */
  readonly tenant?: string;
  /**
   * Groups whose documents the caller may read besides the open ones. A conversation keeps the groups of everybody who has asked in it: who lacks
   * one of them gets `forbidden`.
   */
  readonly groups?: readonly string[];
  /**
   * Whose conversations are meant: 1 to 128 characters. Each user of a tenant has his own, under ids that others may use too; without it they are
   * nobody's in particular, for whoever of the tenant knows the id. Documents know no users.
   */
  readonly user?: string;
  /** Who calls, for the log: 1 to 128 characters. */
  readonly name?: string;
  /** Names the call in events, logs and the stored turn: 1 to 128 characters, which need not be its alone. Made up where absent. */
  readonly requestId?: string;
  /**
   * For `ask` and `answer`: makes calls of one conversation with the same key one turn, so that whoever got no whole answer (its own time was
   * up, the stream was cut) may ask again. 1 to 128 printable ASCII characters, new for every question and random, a UUID say: where the
   * request has no `sessionId`, the conversation's id is made from the key, and whoever has the one may read the other.
   *
   * - The turn is complete: its answer is sent again, `cached`, as it is stored: `sources` are those that it cites, without texts.
   * - It is not (failed, interrupted, or nobody has finished it): it is answered anew, without the earlier try in sight. A complete answer takes
   *   that one's place; else what is stored of it stays.
   * - Another call with the key is being answered: so is this one, and the turn is the answer that is complete first.
   * - The key's turn has another question: fails with `conflict`, not retryable.
   * - The turn is none of the latest that are loaded (twice `session.turns`, and none that is summarised): answered anew; the turn, once complete, stays as it is.
   *
   * Another conversation, collection, user or tenant knows nothing of the key, nor does a conversation that was deleted or is forgotten. With `history`
   * nothing is stored, and it has no effect. The turn's `requestId` is made from the key.
   */
  readonly idempotencyKey?: string;
  /** The way in, e.g. `/v1/ask`, for metrics and the log; `library` where absent. */
  readonly route?: string;
}

export interface AddedDocument {
  readonly id: string;
  /** False: the very same one was stored already. */
  readonly changed: boolean;
  readonly passages: number;
}

export interface SearchResponse {
  /** Best first, on the reranker's scale; on that of search where it did not rank. */
  readonly hits: readonly ScoredPassage[];
  /** As search found them, before reranking. */
  readonly found: readonly ScoredPassage[];
  readonly timings: Timings;
  readonly degraded: readonly Degradation[];
}

export interface Status {
  readonly version: string;
  readonly tenant: string;
  readonly collection: string;
  /** Null, as `passages` and `indexedWith`: the index cannot be asked. */
  readonly documents: number | null;
  readonly passages: number | null;
  /** What could not be found out, one line each. */
  readonly missing: readonly string[];
  /** What each stage runs on, by step; the embedded defaults are named for what they are. */
  readonly stages: Readonly<Record<string, string>>;
  /** Steps that an emulated server does (`use: simulated`): their figures are no model's. */
  readonly emulated: readonly Step[];
  /** How prompts are counted, and by what the endpoint's own counts have corrected that, by script. */
  readonly tokens: {
    readonly model: string;
    readonly counter: string;
    readonly corrections: readonly TokenCorrection[];
  };
  /** Name of the vector space that the collection was indexed in. */
  readonly indexedWith: string | null;
  /** What the models that run beside this process have done, by step. */
  readonly models: { readonly embed?: ModelCounts; readonly rerank?: ModelCounts };
  /** How text and vectors are fused in it. */
  readonly fusion: FusionStatus;
  /** The endpoints of the steps that are served at some, with their circuit breakers. */
  readonly endpoints: readonly EndpointState[];
  /** What became of turns, since the start of the process. */
  readonly saves: {
    /** Stored at once. */
    readonly saved: number;
    readonly failed: number;
    /** Of the failed: stored later, given up, still tried again. */
    readonly recovered: number;
    readonly lost: number;
    readonly waiting: number;
  };
}

export interface TurnPage {
  readonly turns: readonly Turn[];
  /** Pass as `after` for the next page; absent on the last. */
  readonly next?: number;
}

export interface SessionPage {
  /** The one that was last asked in first. */
  readonly sessions: readonly ListedSession[];
  /** Pass as `after` for the next page; absent on the last. */
  readonly next?: string;
}

export interface ListedSession {
  readonly id: string;
  /** Its first question: 200 characters at most. */
  readonly question: string;
  readonly turnCount: number;
  /** When it was last asked in: ISO 8601, UTC. */
  readonly usedAt: string;
}

export interface Readiness {
  readonly ready: boolean;
  /** One line a thing that is missing. */
  readonly missing: readonly string[];
  /** One line a thing that answers do without meanwhile: the embedder, the reranker, being stored. */
  readonly degraded: readonly string[];
}

export interface EraseReport {
  /** Deleted, of all groups. */
  readonly documents: number;
  readonly sessions: number;
}

export interface ReindexOptions extends CallerOptions {
  readonly collection?: string;
  onProgress?(progress: ReindexProgress): void;
}

export interface WatchRequest extends Omit<CallerOptions, "signal"> {
  readonly signal: AbortSignal;
  /** As of `IndexOptions`. */
  readonly documentGroups?: readonly string[];
  readonly collection?: string;
  /** At the start, deletes every document of the collection that is not in what is watched, whichever groups may read it; where `groups` are named, of those that these may read. */
  readonly prune?: boolean;
  /** After the first run, and after every one that changed something or failed. */
  onReport?(report: IngestReport): void;
}

export interface IndexOptions extends CallerOptions {
  readonly collection?: string;
  /** Who may read documents that name no groups themselves, as a PDF cannot: up to 100 names of up to 128 characters. Absent or empty: everyone of the tenant. */
  readonly documentGroups?: readonly string[];
  /** Deletes every document of the collection that the sources do not have any more, whichever groups may read it; where `groups` are named, of those that these may read. */
  readonly prune?: boolean;
  onProgress?(progress: IngestProgress): void;
}
