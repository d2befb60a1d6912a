import { setTimeout as sleep } from "node:timers/promises";
import { toRaglineError } from "../errors.ts";
import type { SessionStore } from "../ports/session-store.ts";

/** Questions that wait at most; a further one is pending until its lease ends. */
const QUESTIONS_MAX = 256;
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2000;

/**
 * The same store, apart from this process. A question that was refused because the store did not answer may have reached it all the
 * same, and would be pending until its lease ends, in the way of others, then be shown as interrupted. Once the store is back such a question is
 * ended as failed, as its asker was told.
 */
export function endedRefusals(store: SessionStore, { leaseMs }: { readonly leaseMs: number }): SessionStore {
  /** By request id. */
  const refused = new Map<string, { readonly until: number; readonly end: () => Promise<void> }>();
  const closing = new AbortController();
  let running: Promise<void> | null = null;

  /** False: the store is still away. */
  const isEnded = async (requestId: string, end: () => Promise<void>): Promise<boolean> => {
    try {
      await end();
    } catch (thrown) {
      // Else it never arrived.
      if (toRaglineError(thrown).retryable) return false;
    }
    refused.delete(requestId);
    return true;
  };
  const endAll = async () => {
    for (let waitMs = FIRST_WAIT_MS; refused.size > 0; waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS)) {
      await sleep(waitMs, undefined, { signal: closing.signal, ref: false }).catch(() => undefined);
      if (closing.signal.aborted) return;
      for (const [requestId, { until, end }] of refused) {
        if (performance.now() > until) refused.delete(requestId);
        else if (!(await isEnded(requestId, end))) break;
      }
    }
  };

  return {
    ...store,

    async begin(scope, id, asked, turnsMax, call) {
      try {
        return await store.begin(scope, id, asked, turnsMax, call);
      } catch (thrown) {
        const { code } = toRaglineError(thrown);
        const isUnknown = code === "dependency_failed" || code === "dependency_timeout";
        if (isUnknown && refused.size < QUESTIONS_MAX && !closing.signal.aborted) {
          const { requestId, question, tokens } = asked;
          const said = { requestId, question, query: question, answer: "", tokens, at: new Date().toISOString() };
          const end = () => {
            const unhurried = { signal: new AbortController().signal };
            return store.finish(scope, id, { ...said, status: "failed" }, unhurried);
          };
          refused.set(requestId, { until: performance.now() + leaseMs, end });
          running ??= endAll().finally(() => {
            running = null;
          });
        }
        throw thrown;
      }
    },

    async close() {
      closing.abort();
      await running;
      await store.close?.();
    },
  };
}
