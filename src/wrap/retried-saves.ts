import { setTimeout as sleep } from "node:timers/promises";
import { toRaglineError } from "../errors.ts";
import type { SessionStore } from "../ports/session-store.ts";
import type { FinishedTurn, Scope } from "../types.ts";

export interface RetriedSavesOptions {
  /** Turns that wait at most; a further one that fails is lost. */
  readonly turnsMax: number;
  /** Characters of all turns that wait, at most. */
  readonly charsMax: number;
  /** How long a turn is tried again. */
  readonly retryMs: number;
  /** Told of a turn that is given up. */
  readonly onLost?: (turn: FinishedTurn) => void;
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
  readonly key: string;
  readonly characters: number;
  readonly save: () => Promise<void>;
  readonly turn: FinishedTurn;
  readonly deadline: number;
  /** It is there, only not as durably as was asked for. */
  stored: boolean;
}

export interface RetriedSaves extends SessionStore {
  counts(): Readonly<SaveCounts>;
}

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2000;
/** What closing waits for turns that still wait. */
const CLOSING_MS = 1000;

/**
 * The same store; a turn that could not be saved is saved again in the background. The first failure is still reported: its
 * caller tells the reader. A conversation that is gone on with in this process gets its waiting turns first; those that are stored,
 * and only not confirmed, are there already.
 */
export function retriedSaves(store: SessionStore, options: RetriedSavesOptions): RetriedSaves {
  const counts: SaveCounts = { saved: 0, failed: 0, recovered: 0, lost: 0, waiting: 0 };
  const waiting = new Set<Waiting>();
  let characters = 0;
  let running: Promise<void> | null = null;
  const closing = new AbortController();

  const settle = (one: Waiting, as: "recovered" | "lost") => {
    if (!waiting.delete(one)) return;
    characters -= one.characters;
    counts.waiting--;
    const isLost = as === "lost" && !one.stored;
    counts[isLost ? "lost" : "recovered"]++;
    if (isLost) options.onLost?.(one.turn);
  };
  const attempt = async (one: Waiting): Promise<boolean> => {
    try {
      await one.save();
      settle(one, "recovered");
      return true;
    } catch (thrown) {
      const { retryable, stored } = toRaglineError(thrown);
      one.stored = stored;
      const again = retryable && performance.now() < one.deadline;
      if (!again) settle(one, "lost");
      return !again;
    }
  };
  const retry = async () => {
    for (let waitMs = FIRST_WAIT_MS; waiting.size > 0; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      await sleep(waitMs * (0.5 + Math.random()), undefined, { signal: closing.signal, ref: false }).catch(
        () => undefined,
      );
      if (closing.signal.aborted) return;
      // One after the other: the first that fails shows that the store is still away.
      for (const one of waiting) if (!(await attempt(one))) break;
    }
  };
  const keep = (key: string, turn: FinishedTurn, stored: boolean, save: () => Promise<void>) => {
    const one = {
      key,
      turn,
      stored,
      save,
      characters: turn.question.length + turn.query.length + turn.answer.length,
      deadline: performance.now() + options.retryMs,
    };
    waiting.add(one);
    characters += one.characters;
    counts.waiting++;
    if (waiting.size > options.turnsMax || characters > options.charsMax || closing.signal.aborted) settle(one, "lost");
    else
      running ??= retry().finally(() => {
        running = null;
      });
  };
  const flush = async (key: string) => {
    if (waiting.size === 0) return;
    for (const one of waiting) if (one.key === key && !one.stored) await attempt(one);
  };

  return {
    ...store,
    counts: () => ({ ...counts }),

    async begin(scope, id, asked, turnsMax, call) {
      await flush(keyOf(scope, id));
      return store.begin(scope, id, asked, turnsMax, call);
    },

    async load(scope, id, turnsMax, call) {
      await flush(keyOf(scope, id));
      return store.load(scope, id, turnsMax, call);
    },

    async finish(scope, id, turn, call) {
      try {
        await store.finish(scope, id, turn, call);
        counts.saved++;
      } catch (thrown) {
        counts.failed++;
        const unhurried = { signal: new AbortController().signal };
        const { retryable, stored } = toRaglineError(thrown);
        if (retryable) keep(keyOf(scope, id), turn, stored, () => store.finish(scope, id, turn, unhurried));
        else counts.lost++;
        throw thrown;
      }
    },

    async close() {
      closing.abort();
      await running;
      const deadline = performance.now() + CLOSING_MS;
      for (const one of waiting) if (performance.now() > deadline || !(await attempt(one))) break;
      for (const one of waiting) settle(one, "lost");
      await store.close?.();
    },
  };
}

function keyOf({ tenant, collection }: Scope, id: string): string {
  return JSON.stringify([tenant, collection, id]);
}
