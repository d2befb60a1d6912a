import { toRaglineError } from "../errors.ts";
import type { SessionStore } from "../ports/session-store.ts";
import type { CallOptions, Scope } from "../types.ts";
import { Rounds } from "./rounds.ts";

/** Questions that wait at most; a further one is pending until its lease ends. */
const QUESTIONS_MAX = 256;

interface Refused {
  readonly scope: Scope;
  readonly sessionId: string;
  readonly until: number;
  end(call: CallOptions): Promise<void>;
}

/**
 * The same store, apart from this process. A question that was refused because the store did not answer may have reached it all the
 * same, and would be pending until its lease ends, in the way of others, then be shown as interrupted. Once the store is back such a question is
 * ended as failed, as its asker was told, and before anything else that this process is asked in its session. Of a session that is deleted
 * none is.
 */
export function endedRefusals(store: SessionStore, { leaseMs }: { readonly leaseMs: number }): SessionStore {
  /** By request id, in the order they were asked in. */
  const refused = new Map<string, Refused>();
  const ending = new Set<Promise<void>>();

  /** @throws what the store did, where it is still away. */
  const end = async (requestId: string, question: Refused, call: CallOptions): Promise<void> => {
    const ended = question.end(call);
    ending.add(ended);
    try {
      await ended;
    } catch (thrown) {
      // Else it never arrived, or is ended, only not as durably as was asked for.
      const { retryable, stored } = toRaglineError(thrown);
      if (retryable && !stored) throw thrown;
    } finally {
      ending.delete(ended);
    }
    refused.delete(requestId);
  };
  /** Of one session, or of all of the scope's user, or collection; what is just being ended is waited for. */
  const forget = async (scope: Scope, id?: string) => {
    for (const [requestId, question] of refused) {
      if (isOf(question, scope, id)) refused.delete(requestId);
    }
    await Promise.allSettled(ending);
  };
  /** A turn's number is given when it ends: what was refused in a session comes before what is asked there afterwards. */
  const endEarlier = async (scope: Scope, id: string, requestId: string, call: CallOptions) => {
    for (const [other, question] of refused) {
      if (isOf(question, scope, id) && other !== requestId) await end(other, question, call);
    }
  };
  const endings = new Rounds({
    isLeft: () => refused.size > 0,
    async round() {
      const unhurried = { signal: new AbortController().signal };
      try {
        for (const [requestId, question] of refused) {
          if (performance.now() > question.until) refused.delete(requestId);
          else await end(requestId, question, unhurried);
        }
      } catch {
        // Away still.
      }
    },
  });

  return {
    ...store,

    async begin(scope, id, asked, turnsMax, call) {
      let isSent = false;
      try {
        if (refused.size > 0) await endEarlier(scope, id, asked.requestId, call);
        isSent = true;
        const before = await store.begin(scope, id, asked, turnsMax, call);
        refused.delete(asked.requestId);
        return before;
      } catch (thrown) {
        const { code } = toRaglineError(thrown);
        const isUnknown = code === "dependency_failed" || code === "dependency_timeout";
        if (isUnknown && refused.size < QUESTIONS_MAX) {
          const { requestId, question, tokens } = asked;
          const said = { requestId, question, query: question, answer: "", tokens, at: new Date().toISOString() };
          refused.set(requestId, {
            scope,
            sessionId: id,
            until: performance.now() + leaseMs,
            async end(unhurried) {
              if (!isSent) await store.begin(scope, id, asked, turnsMax, unhurried);
              await store.finish(scope, id, { ...said, status: "failed" }, unhurried);
            },
          });
          endings.start();
        }
        throw thrown;
      }
    },

    async delete(scope, id, call) {
      await forget(scope, id);
      return store.delete(scope, id, call);
    },

    async deleteAll(scope, call) {
      await forget(scope);
      return store.deleteAll(scope, call);
    },

    async close() {
      await endings.close();
      await store.close?.();
    },
  };
}

function isOf({ scope, sessionId }: Refused, { tenant, collection, user }: Scope, id?: string): boolean {
  if (scope.tenant !== tenant || scope.collection !== collection) return false;
  // All of a user's sessions, or of a collection.
  if (id === undefined) return user === undefined || scope.user === user;
  return scope.user === user && sessionId === id;
}
