import type { SessionStore } from "../../ports/session-store.ts";
import { groupsInOrder, type PendingTurn, type Scope, type Session, type ShortTurn, type Turn } from "../../types.ts";
import type { RedisOptions } from "../redis/client.ts";
import { RedisConnection } from "../redis/connection.ts";
import { nearest, toBytes } from "./nearest.ts";
import { RedisLists } from "./redis-lists.ts";
import { openReplicatedTurns, type ReplicaOptions } from "./redis-replicas.ts";
import * as scripts from "./redis-scripts.ts";
import { emptySession, lacksGroups, neverAnswered, neverBegun, storedId, tooManyPending } from "./shared.ts";

export interface RedisSessionOptions extends RedisOptions, ReplicaOptions {
  readonly keyPrefix: string;
  /** A conversation that nobody reads or goes on with for so long is forgotten. */
  readonly ttlMs: number;
  readonly leaseMs: number;
  readonly pendingMax: number;
}

/** What the scripts say of a session: Redis's clock, the fields, turns with their short forms, pending questions. */
type View = readonly [
  now: string,
  fields: readonly (string | null)[],
  turns: readonly (readonly [number: string, turn: string, short: string | null])[],
  pending: readonly string[],
];

/**
 * Conversations in Redis 7, each one hash. Every call is one script, hence one round trip and atomic. What is acknowledged is as durable
 * as that Redis is configured to be; with `replicasMin` finished turns outlive the master.
 * @throws RaglineError `config_invalid`
 */
export async function openRedisSessionStore(options: RedisSessionOptions): Promise<SessionStore> {
  const redis = await RedisConnection.open(options);
  const replicated = options.replicasMin > 0 ? await openReplicatedTurns(options) : null;
  const { ttlMs, leaseMs, pendingMax } = options;
  const prefixOf = ({ tenant, collection }: Scope) =>
    `${options.keyPrefix}${encodeURIComponent(tenant)}:${encodeURIComponent(collection)}:`;
  const keyOf = (scope: Scope, id: string) => prefixOf(scope) + storedId(scope, id);
  const groupsOf = (scope: Scope) => JSON.stringify(groupsInOrder(scope.groups));
  const lists = new RedisLists(redis, { ttlMs, keyOf, groupsOf });

  return {
    async begin(scope, id, asked, turnsMax) {
      const turn = `${asked.tokens}|${JSON.stringify(neverAnswered(asked))}`;
      const values = [encodeURIComponent(asked.requestId), turn, turnsMax, leaseMs, ttlMs, pendingMax, groupsOf(scope)];
      const reply = await redis.run(scripts.BEGIN, keyOf(scope, id), values);
      if (reply === -1) throw lacksGroups();
      if (reply === 0) throw tooManyPending(pendingMax);
      // Nobody waits for it; whoever asks for the list over this connection comes after it.
      void lists.add(scope, id);
      return { session: toSession(id, reply as View), recorded: Promise.resolve() };
    },

    async renew(scope, id, requestId) {
      await redis.run(scripts.RENEW, keyOf(scope, id), [encodeURIComponent(requestId), leaseMs, ttlMs]);
    },

    async finish(scope, id, turn) {
      const values = [
        encodeURIComponent(turn.requestId),
        turn.status,
        turn.tokens,
        JSON.stringify(turn),
        ttlMs,
        groupsOf(scope),
      ];
      const key = keyOf(scope, id);
      if ((await redis.run(scripts.FINISH, key, values)) === 0) throw neverBegun();
      if (replicated && (await replicated.confirm(key, values)) === 0) throw neverBegun();
    },

    async load(scope, id, turnsMax) {
      const values = [turnsMax, ttlMs, groupsOf(scope)];
      const reply = await redis.run(scripts.LOAD, keyOf(scope, id), values);
      if (reply === -1) throw lacksGroups();
      void lists.keep(scope);
      return toSession(id, reply as View);
    },

    async probe() {
      await redis.run(scripts.PROBE, `${options.keyPrefix}probe`, []);
    },

    async turns(scope, id, numbers) {
      const ascending = [...new Set(numbers)].sort((a, b) => a - b);
      const reply = await redis.run(scripts.TURNS, keyOf(scope, id), [ttlMs, groupsOf(scope), ...ascending]);
      void lists.keep(scope);
      return (reply as [string, string][]).map(([number, turn]) => toTurn(number, turn, null));
    },

    async replace(scope, id, version, { summary, summarizedTurns, entities, short = [], recall }) {
      const fields: (string | Uint8Array)[] = [];
      if (summary !== undefined) fields.push("summary", summary);
      if (entities) fields.push("entities", JSON.stringify(entities));
      for (const form of short) fields.push(`s:${form.number}`, JSON.stringify(form));
      for (const { number, vector } of recall?.vectors ?? []) fields.push(`v:${number}`, toBytes(vector));
      const values = [version, ttlMs, summarizedTurns ?? "", recall?.model ?? "", ...fields];
      return (await redis.run(scripts.REPLACE, keyOf(scope, id), values)) === 1;
    },

    async recall(scope, id, { model, vector, limit }) {
      const reply = (await redis.run(
        scripts.VECTORS,
        keyOf(scope, id),
        [model, ttlMs, groupsOf(scope)],
        true,
      )) as Buffer[];
      return nearest(vector, pairs(reply), limit);
    },

    list: (scope, page, { signal }) => lists.page(scope, page, signal),

    async delete(scope, id) {
      const deletedAtMs = (await redis.run(scripts.DELETE, keyOf(scope, id), [groupsOf(scope)])) as number;
      if (deletedAtMs > 0) await lists.remove(scope, [{ id, usedAtMs: deletedAtMs - 1 }]);
      return deletedAtMs > 0;
    },

    async deleteAll(scope, { signal }) {
      const listed = await lists.places(scope);
      const deleted = await redis.unlinkHashes(keyOf(scope, ""), isSession, signal);
      await lists.remove(scope, listed);
      return deleted;
    },

    async close() {
      try {
        await replicated?.close();
      } finally {
        await redis.close();
      }
    },
  };
}

/** Not a list. */
function isSession(key: string): boolean {
  return !key.endsWith("/");
}

function toSession(id: string, [now, fields, turns, pending]: View): Session {
  const [version, summary, summarizedTurns, entities, turnCount, totalTokens, recallModel, recallUpTo] = fields;
  if (version == null) return emptySession(id);
  return {
    id,
    version: Number(version),
    summary: summary ?? "",
    summarizedTurns: Number(summarizedTurns),
    entities: JSON.parse(entities ?? "[]"),
    turns: turns.map(([number, turn, short]) => toTurn(number, turn, short)),
    pending: pending.map((value) => toPending(value, Number(now))),
    turnCount: Number(turnCount),
    totalTokens: Number(totalTokens),
    recall: recallModel && Number(recallUpTo) > 0 ? { model: recallModel, upTo: Number(recallUpTo) } : null,
  };
}

function toTurn(number: string, stored: string, short: string | null): Turn {
  const form = short === null ? null : (JSON.parse(short) as ShortTurn);
  return { ...scripts.turnOf(stored), ...form, number: Number(number), short: form !== null };
}

function toPending(stored: string, nowMs: number): PendingTurn {
  const { requestId, question, at } = scripts.turnOf(stored);
  return { requestId, question, at, status: Number.parseInt(stored, 10) <= nowMs ? "interrupted" : "pending" };
}

function* pairs(reply: readonly Buffer[]): Generator<{ number: number; vector: Uint8Array }> {
  for (let i = 0; i + 1 < reply.length; i += 2) {
    const [number, vector] = [reply[i], reply[i + 1]];
    if (number && vector) yield { number: Number(number.toString()), vector };
  }
}
