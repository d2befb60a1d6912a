export type TurnStatus = "complete" | "interrupted" | "failed";

export type FinishReason = "stop" | "length" | "content_filter" | "no_answer";

/** One question and its answer, as it ended. */
export interface FinishedTurn {
  /**
   * As the caller named the call, or made of its idempotency key: the same for every call with that. For a session store, what no other turn
   * of the conversation has.
   */
  readonly requestId: string;
  readonly question: string;
  /** The standalone query that was searched for. */
  readonly query: string;
  /** As far as it was written: partial unless `status` is `complete`. */
  readonly answer: string;
  readonly status: TurnStatus;
  /** Why a complete answer ended; absent: not complete, or not known. */
  readonly finishReason?: FinishReason;
  /** Tokens of question and answer. */
  readonly tokens: number;
  /** ISO 8601, UTC. */
  readonly at: string;
  /** Those that the answer cites; absent: none, or not known. */
  readonly sources?: readonly TurnSource[];
}

/** Where a citation of a stored answer points, as it was then: the document may be another since, or gone. */
export interface TurnSource {
  /** As the answer cites it. */
  readonly n: number;
  readonly passageId: string;
  readonly documentId: string;
  readonly title: string;
  readonly page?: number;
  readonly pageEnd?: number;
  readonly url?: string;
}

export interface Turn extends FinishedTurn {
  /** Its place in the conversation, from 1, in order of completion. */
  readonly number: number;
  /** Question, answer and tokens are those of the short form; the original can still be read. */
  readonly short: boolean;
}

/** A turn with its bulk replaced by references. */
export interface ShortTurn {
  readonly number: number;
  readonly question: string;
  readonly answer: string;
  /** Tokens of question and answer. */
  readonly tokens: number;
}

/** A question that has no turn yet: being answered now, or left behind by a process that died. */
export interface PendingTurn {
  readonly requestId: string;
  readonly question: string;
  readonly status: "pending" | "interrupted";
  /** ISO 8601, UTC. */
  readonly at: string;
}

/** Something a conversation is about, and what was said of it. */
export interface Entity {
  readonly name: string;
  readonly note: string;
  /** The turn that said it last. */
  readonly turn: number;
}

/** A conversation as it is loaded: the recent turns, older ones as a summary. */
export interface Session {
  readonly id: string;
  /** Grows with every change, also over a deletion; 0: nothing is stored under this id. */
  readonly version: number;
  readonly summary: string;
  /** How many turns, counted from the first, the summary stands for. */
  readonly summarizedTurns: number;
  readonly entities: readonly Entity[];
  /** Turns after the summarised ones, oldest first; the latest where there are more than were asked for. */
  readonly turns: readonly Turn[];
  readonly pending: readonly PendingTurn[];
  readonly turnCount: number;
  /** Of all turns, in their original form. */
  readonly totalTokens: number;
  /** Which turns have recall vectors: those up to number `upTo`, by `model`. */
  readonly recall: { readonly model: string; readonly upTo: number } | null;
}
