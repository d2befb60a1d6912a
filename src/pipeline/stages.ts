import type { FusionChoice } from "../fusion/weights.ts";
import type { AnswerCache } from "../ports/answer-cache.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { LanguageModel } from "../ports/language-model.ts";
import type { PassageIndex } from "../ports/passage-index.ts";
import type { Reranker } from "../ports/reranker.ts";
import type { SessionStore } from "../ports/session-store.ts";
import type { TokenCounter } from "../ports/token-counter.ts";
import type { StreamLimits } from "../run.ts";
import type { Words } from "../text/words.ts";
import type { Filter, Message, Scope, Step } from "../types.ts";

/** What the steps work with: the ports, and how each step is set. Built by `compose.ts`. */
export interface Stages {
  readonly sessions: SessionStore;
  readonly cache: AnswerCache | null;
  readonly embedder: Embedder;
  readonly index: PassageIndex;
  readonly reranker: Reranker | null;
  readonly model: LanguageModel;
  /** The language model, where it follows instructions: it rewrites follow-ups and summarises. Null: rules do. */
  readonly instructed: LanguageModel | null;
  /** Counts for the model that answers. */
  readonly counter: TokenCounter;
  /** Sizes passages on their way in, whichever model answers. Loaded when the first comes: a vocabulary takes some 17 MB. */
  readonly chunkCounter: () => Promise<TokenCounter>;
  /** Remembers tokens from one question to the next. */
  readonly words: Words;
  readonly settings: Settings;
}

export interface Settings {
  readonly limitsMs: Partial<Record<Step, number>>;
  readonly timeoutMs: number;
  readonly generateLimits: StreamLimits;
  /** Latest turns that compaction leaves raw; up to twice as many are loaded. */
  readonly rawTurns: number;
  /** A question stays pending for so long unless its lease is renewed. */
  readonly leaseMs: number;
  readonly rewriteFollowUps: boolean;
  readonly rewriteByModel: boolean;
  readonly cacheServes: boolean;
  readonly top: number;
  readonly keep: number;
  readonly fusion: FusionChoice;
  readonly preRotTokens: number;
  readonly expectedOutputTokens: number;
  readonly system: string | null;
  /** Older turns are summarised by the language model, where one follows instructions. */
  readonly summarizeByModel: boolean;
  readonly compactStartRatio: number;
  readonly compactTargetRatio: number;
  /** Stands for everything in the configuration that may change an answer. */
  readonly fingerprint: string;
}

/** A question on its way through the steps; every field is checked and filled in. */
export interface Question {
  /** Names the call, to its caller and in the log. */
  readonly requestId: string;
  /** What the session store knows its turn by: no other turn has it. */
  readonly turnKey: string;
  /** An earlier call may have had the same turn key: no model is called before that is known. */
  readonly mayBeRepeated: boolean;
  readonly scope: Scope;
  readonly sessionId: string;
  /** The session was made up for it: there is no conversation before it, but for calls with the same turn key. */
  readonly isFirst: boolean;
  readonly question: string;
  /** History that the client sent; used instead of the stored one, and nothing is saved. */
  readonly history: readonly Message[] | null;
  readonly filter: Filter | null;
  /** Passages to keep; at most the configured number of passages searched. */
  readonly top: number | null;
  readonly useCache: boolean;
  /** False: a follow-up is searched for as it is asked. */
  readonly useRewrite: boolean;
  /** False: the order of search. */
  readonly useReranker: boolean;
}

export interface Rewritten {
  /** What is searched for. */
  readonly query: string;
  /** The query means the same without the conversation. */
  readonly standalone: boolean;
}
