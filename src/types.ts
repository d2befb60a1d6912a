/** The nouns every part of Ragline shares. */
import type { FinishReason, TurnSource } from "./conversation.ts";
import type { Metadata, PassagePlace } from "./passages.ts";

export type * from "./conversation.ts";
export type * from "./passages.ts";

/** The ten steps, in the order in which a question goes through them. Reserved words: see ARCHITECTURE.md. */
export const STEPS = [
  "session",
  "rewrite",
  "cache",
  "embed",
  "search",
  "rerank",
  "prompt",
  "generate",
  "save",
  "compact",
] as const;
export type Step = (typeof STEPS)[number];

/** UTF-16 units of a group's name. */
export const GROUP_LENGTH_MAX = 128;
/** Of a document, or of a caller who names them over HTTP. */
export const GROUPS_MAX = 100;

/** The same groups, each once and in one order, as they are stored and compared. */
export function groupsInOrder(groups: readonly string[]): string[] {
  return [...new Set(groups)].sort();
}

/** Whose data a call may touch. First argument of every port method that touches stored data. */
export interface Scope {
  readonly tenant: string;
  readonly collection: string;
  /** Groups the caller belongs to. A document without groups is open to the whole tenant. */
  readonly groups: readonly string[];
  /** Whose conversations these are; documents know none. Absent: those of no user in particular. */
  readonly user?: string | undefined;
}

/** Last argument of every port method. */
export interface CallOptions {
  readonly signal: AbortSignal;
  /** When the signal aborts at the latest, by `performance.now()`; absent: unknown. */
  readonly deadline?: number | undefined;
  /** What was true at this time or later, by `performance.now()`, is recent enough to read; absent: only what is true now. */
  readonly asOf?: number | undefined;
  /** Told of every call of a model, also of one that failed. */
  onModelCall?(call: ModelCall): void;
  /** Told by a model how many tokens it read, where it knows. */
  onTokens?(tokens: number): void;
  /** Told by whoever made the call wait for its turn, and by whoever served it, where that is known. */
  onServed?(served: Served): void;
}

/** Where a call's time went: waited for a turn, here or where it was served; worked on. What is left was on the way. */
export interface Served {
  readonly queueMs: number;
  readonly serviceMs: number;
}

/** One call of a model. Tokens as the model reported them; counted by the prompt's counter where it reported none. */
export interface ModelCall {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly ms: number;
}

/** Calls of models together. `ms` is their sum: calls at the same time count each. */
export interface ModelCalls extends ModelCall {
  readonly calls: number;
}

export interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** A passage as it is shown to the reader; `n` is the number that citations `[n]` use. */
export interface Source {
  readonly n: number;
  readonly passageId: string;
  readonly documentId: string;
  readonly title: string;
  readonly headings: readonly string[];
  readonly text: string;
  readonly score: number;
  readonly page?: number;
  readonly pageEnd?: number;
  readonly url?: string;
  readonly metadata: Metadata;
  /** Where else the same text stands; absent: nowhere that was found. */
  readonly alsoIn?: readonly PassagePlace[];
}

/** A source as its reader is given it: whole, or, of an answer that was stored with its turn and is sent again, where it points alone. */
export type ListedSource = TurnSource & Partial<Source>;

/** What was served with less than the whole pipeline, and why. */
export interface Degradation {
  readonly step: Step;
  /** A code of the error table. */
  readonly reason: string;
  /** What was done instead. */
  readonly fallback: string;
}

/** One of the endpoints of a step, and what became of the calls to it since the start. */
export interface EndpointState {
  readonly step: Step;
  readonly endpoint: string;
  /** Open: no calls go there; half-open: one at a time, to see. */
  readonly breaker: "closed" | "open" | "half-open";
  /** Whether it says of itself that it serves. */
  readonly serving: boolean;
  readonly inFlight: number;
  readonly calls: number;
  readonly failures: number;
  /** Of the calls: made because another endpoint took long; and of these, those that were the faster ones. */
  readonly hedges: number;
  readonly hedgesWon: number;
}

/** Milliseconds by step, in the order in which they ended; a step that did not run is absent. */
export type Timings = Partial<Record<Step, number>>;

/**
 * When a step ran, from the request's start; a step that ran twice has two, and steps may overlap. `reader`: the answer waited
 * until its reader took an event.
 */
export interface StepSpan {
  readonly step: Step | "reader";
  readonly startMs: number;
  readonly ms: number;
  /** Of `ms`, waited for a turn; absent: did not wait, or not known. Calls at the same time count each. */
  readonly queueMs?: number;
  /** Of `ms`, worked on by whoever served the step, where it said so. */
  readonly serviceMs?: number;
  /** What is left of `ms` where `serviceMs` is known: on the way there and back. */
  readonly networkMs?: number;
}

/** Calls of models by step, further tries included; a step that called none is absent. */
export type Calls = Partial<Record<Step, ModelCalls>>;

/** What a model in process has done since the start. */
export interface ModelCounts {
  readonly batches: number;
  /** Texts, or pairs of query and text. */
  readonly inputs: number;
  /** Read by the model, without padding. */
  readonly tokens: number;
  /** Inputs of which the end was cut, longer than the model reads. */
  readonly cut: number;
  /** Of its process: more than one means that it ended in between. */
  readonly starts: number;
}

/** Where the prompt's tokens went. All figures are tokens by `counter`. */
export interface TokenLedger {
  readonly counter: string;
  /** What may be used: min(context window, pre-rot limit) − system − expected output. */
  readonly available: number;
  readonly system: number;
  readonly history: number;
  readonly context: number;
  readonly question: number;
  /** The assembled prompt, counted whole. */
  readonly total: number;
  /** What history is made of; a rung that did not act is absent. */
  readonly rungs: readonly HistoryRung[];
  readonly leftOut: readonly LeftOut[];
}

/** One way of keeping a conversation within its budget: turns as they were said, shortened, summarised, or loaded again. */
export interface HistoryRung {
  readonly rung: "raw" | "compaction" | "summary" | "recall";
  /** How many turns it stands for. */
  readonly turns: number;
  readonly tokens: number;
}

export interface LeftOut {
  readonly part: "history" | "context";
  readonly what: string;
  readonly tokens: number;
  /** E.g. `only 40 of context's 500 tokens were left`. */
  readonly why: string;
}

export type AnswerEvent =
  | {
      readonly type: "answer-start";
      readonly requestId: string;
      /** Of the conversation that keeps the answer; absent where the request brought its `history`: nothing is kept. */
      readonly sessionId?: string;
    }
  | { readonly type: "source-list"; readonly query: string; readonly sources: readonly ListedSource[] }
  | { readonly type: "text-delta"; readonly text: string }
  | {
      readonly type: "answer-end";
      readonly finishReason: FinishReason;
      /** As the model reported it; counted by `ledger.counter` where it reported nothing. */
      readonly usage: Usage;
      readonly timings: Timings;
      readonly spans: readonly StepSpan[];
      readonly calls: Calls;
      /** Milliseconds from the request's start to the first text. */
      readonly firstTextMs: number | null;
      readonly totalMs: number;
      readonly ledger: TokenLedger | null;
      readonly degraded: readonly Degradation[];
      /** No model wrote it now: it comes from the cache, or is the turn's own, sent again for its idempotency key. */
      readonly cached: boolean;
    }
  | {
      readonly type: "answer-error";
      readonly error: ErrorBody;
      readonly timings: Timings;
      readonly spans: readonly StepSpan[];
      readonly calls: Calls;
      readonly totalMs: number;
      readonly degraded: readonly Degradation[];
    };

/** An error as clients see it: never an upstream's message, never a stack. */
export interface ErrorBody {
  readonly code: string;
  readonly message: string;
  readonly step?: Step;
  readonly retryable: boolean;
  /** Trying again sooner is in vain; absent: not known. */
  readonly retryAfterMs?: number;
  readonly requestId?: string;
}
