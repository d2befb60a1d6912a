import { type RaglineError, toRaglineError } from "../errors.ts";
import type { SessionStore } from "../ports/session-store.ts";
import type { FinishedTurn, Scope } from "../types.ts";
import { Rounds } from "./rounds.ts";

export interface RetriedSavesOptions {
  /** Turns that wait at most; a further one that fails is lost. */
  readonly turnsMax: number;
  /** Characters of all turns that wait, at most. */
  readonly charsMax: number;
  /** How long a turn is tried again. */
  readonly retryMs: number;
  /** Told of a turn that is given up, why it could not be saved, and whose it is. */
  readonly onLost?: (turn: FinishedTurn, error: RaglineError, of: Conversation) => void;
}

export interface Conversation extends Pick<Scope, "tenant" | "collection" | "user"> {
  readonly sessionId: string;
}

/** Counted since the start of the process. */
export interface SaveCounts {
  /** At once. */
  saved: number;
  failed: number;
  /** Of the failed, stored later; or at once, and never confirmed. */
  recovered: number;
  /** Of the failed, given up. */
  lost: number;
  /** Of the failed, still tried again. */
  waiting: number;
}

interface Waiting {
  readonly of: Conversation;
  readonly characters: number;
  readonly save: () => Promise<void>;
  readonly turn: FinishedTurn;
  readonly deadline: number;
  /** Of its last try. One that is `stored` is there, only not as durably as was asked for. */
  error: RaglineError;
}

export interface RetriedSaves extends SessionStore {
  counts(): Readonly<SaveCounts>;
}

/** What closing waits for turns that still wait. */
const CLOSING_MS = 1000;

/**
 * The same store; a turn that could not be saved is saved again in the background. The first failure is still reported: its
 * caller tells the reader. A conversation that is gone on with in this process gets its waiting turns first, and a turn waits behind
 * those before it; those that are stored, and only not confirmed, are there already.
 */
export function retriedSaves(store: SessionStore, options: RetriedSavesOptions): RetriedSaves {
  const counts: SaveCounts = { saved: 0, failed: 0, recovered: 0, lost: 0, waiting: 0 };
  const waiting = new Set<Waiting>();
  let characters = 0;

  const lose = ({ turn, error, of }: Pick<Waiting, "turn" | "error" | "of">) => {
    counts.lost++;
    options.onLost?.(turn, error, of);
  };
  const settle = (one: Waiting, as: "recovered" | "lost") => {
    if (!waiting.delete(one)) return;
    characters -= one.characters;
    counts.waiting--;
    if (as === "lost" && !one.error.stored) lose(one);
    else counts.recovered++;
  };
  /** @returns whether it waits no more */
  const attempt = async (one: Waiting): Promise<boolean> => {
    try {
      await one.save();
      settle(one, "recovered");
      return true;
    } catch (thrown) {
      one.error = toRaglineError(thrown);
      const again = one.error.retryable && performance.now() < one.deadline;
      if (!again) settle(one, "lost");
      return !again;
    }
  };
  const retries = new Rounds({
    isLeft: () => waiting.size > 0,
    async round() {
      // One after the other: the first that fails shows that the store is still away.
      for (const one of waiting) if (!(await attempt(one))) break;
    },
  });
  const keep = (failed: Pick<Waiting, "turn" | "error" | "of" | "save">) => {
    const { turn } = failed;
    const one: Waiting = {
      ...failed,
      characters: turn.question.length + turn.query.length + turn.answer.length,
      deadline: performance.now() + options.retryMs,
    };
    waiting.add(one);
    characters += one.characters;
    counts.waiting++;
    if (waiting.size > options.turnsMax || characters > options.charsMax || retries.isClosed) settle(one, "lost");
    else retries.start();
  };
  /** @returns why a turn of the conversation has to wait still; null: none has */
  const flush = async (of: Conversation): Promise<RaglineError | null> => {
    if (waiting.size === 0) return null;
    for (const one of waiting) {
      if (isSame(one.of, of) && !one.error.stored && !(await attempt(one))) return one.error;
    }
    return null;
  };

  return {
    ...store,
    counts: () => ({ ...counts }),

    problem() {
      const known = store.problem?.();
      if (known) return known;
      const [first, ...others] = [...waiting].filter(({ error }) => !error.stored);
      return first ? `${first.error.message} Turns that wait to be stored: ${1 + others.length}.` : null;
    },

    async begin(scope, id, asked, turnsMax, call) {
      await flush(conversation(scope, id));
      return store.begin(scope, id, asked, turnsMax, call);
    },

    async load(scope, id, turnsMax, call) {
      await flush(conversation(scope, id));
      return store.load(scope, id, turnsMax, call);
    },

    async finish(scope, id, turn, call) {
      const of = conversation(scope, id);
      try {
        const earlier = await flush(of);
        if (earlier) throw earlier;
        await store.finish(scope, id, turn, call);
        counts.saved++;
      } catch (thrown) {
        counts.failed++;
        const error = toRaglineError(thrown);
        const unhurried = { signal: new AbortController().signal };
        if (error.retryable) keep({ of, turn, error, save: () => store.finish(scope, id, turn, unhurried) });
        else lose({ of, turn, error });
        throw thrown;
      }
    },

    async close() {
      await retries.close();
      const deadline = performance.now() + CLOSING_MS;
      for (const one of waiting) if (performance.now() > deadline || !(await attempt(one))) break;
      for (const one of waiting) settle(one, "lost");
      await store.close?.();
    },
  };
}

function conversation({ tenant, collection, user }: Scope, sessionId: string): Conversation {
  return { tenant, collection, user, sessionId };
}

function isSame(one: Conversation, other: Conversation): boolean {
  return (["sessionId", "user", "tenant", "collection"] as const).every((part) => one[part] === other[part]);
}
