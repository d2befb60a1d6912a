import { RaglineError, toRaglineError } from "../../errors.ts";
import type { RedisOptions } from "../redis/client.ts";
import { RedisConnection } from "../redis/connection.ts";
import { FINISH } from "./redis-scripts.ts";

export interface ReplicaOptions {
  /** Replicas that must have a finished turn before it counts as saved; 0: none. */
  readonly replicasMin: number;
  /** Limit for that. */
  readonly replicasTimeoutMs: number;
}

/** More are not on their way at once: while replicas are away each of them holds the connection for its whole limit. */
const WAITING_MAX = 64;

export interface ReplicatedTurns {
  /**
   * Resolves once enough replicas have the turn, which is stored already. @returns FINISH's reply
   * @throws RaglineError `dependency_failed`, `stored`: too few have it in time, and it may be lost with the master; saying it again is harmless.
   */
  confirm(key: string, values: readonly (string | number)[]): Promise<unknown>;
  close(): Promise<void>;
}

/**
 * Waits on a connection of its own, so that a missing replica delays no reading and no writing. There FINISH, which changes nothing the
 * second time, is said again: after a failover in between it restores the turn, or says that its question is gone.
 */
export async function openReplicatedTurns(options: RedisOptions & ReplicaOptions): Promise<ReplicatedTurns> {
  const { replicasMin, replicasTimeoutMs } = options;
  const redis = await RedisConnection.open(options);
  let waiting = 0;
  const wait = {
    replicas: replicasMin,
    waitMs: replicasTimeoutMs,
    othersMs: WAITING_MAX * replicasTimeoutMs,
    onOver() {
      waiting--;
    },
  };
  const tooFew = (found: string) =>
    new RaglineError(
      "dependency_failed",
      `The turn is stored, but ${found} of session.replicasMin (${replicasMin}) replicas confirmed it within session.replicasTimeoutMs (${replicasTimeoutMs} ms).`,
      { stored: true },
    );

  return {
    async confirm(key, values) {
      if (waiting >= WAITING_MAX) throw tooFew("none");
      waiting++;
      const { reply, replicas } = await redis.runReplicated(FINISH, key, values, wait).catch((thrown: unknown) => {
        const { code, message, cause } = toRaglineError(thrown);
        throw new RaglineError(code, message, { cause, stored: true });
      });
      if (replicas < replicasMin) throw tooFew(`${replicas}`);
      return reply;
    },
    close: () => redis.close(),
  };
}
