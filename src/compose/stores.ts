import { createSqliteAnswerCache } from "../adapters/answer-cache/sqlite.ts";
import { PostgresPassageIndex } from "../adapters/passage-index/postgres.ts";
import { SqlitePassageIndex } from "../adapters/passage-index/sqlite.ts";
import { openPostgresSessionStore } from "../adapters/session-store/postgres.ts";
import { openRedisSessionStore } from "../adapters/session-store/redis.ts";
import { createSqliteSessionStore } from "../adapters/session-store/sqlite.ts";
import type { Database } from "../adapters/sqlite/database.ts";
import type { Config } from "../config.ts";
import type { AnswerCache } from "../ports/answer-cache.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { PassageIndex } from "../ports/passage-index.ts";
import type { SessionStore } from "../ports/session-store.ts";

/** A server's own share of the limit for loading, so that its failure is told from a slow step. */
const ROUND_TRIP_SHARE = 0.8;

export async function chooseSessions(
  config: Config["session"],
  database: (file: string) => Database,
): Promise<SessionStore> {
  switch (config.use) {
    case "sqlite":
      return createSqliteSessionStore(database(config.file), config);
    case "redis":
      return openRedisSessionStore({ ...config, timeoutMs: config.timeoutMs * ROUND_TRIP_SHARE });
    case "postgres":
      return openPostgresSessionStore({ ...config, timeoutMs: config.timeoutMs * ROUND_TRIP_SHARE });
  }
}

export function chooseCache(config: Config["cache"], database: (file: string) => Database): AnswerCache | null {
  return config.use === "none" ? null : createSqliteAnswerCache(database(config.file), config);
}

export async function chooseIndex(
  config: Config["search"],
  database: (file: string) => Database,
  embedder: Embedder,
): Promise<PassageIndex> {
  switch (config.use) {
    case "sqlite":
      return new SqlitePassageIndex(database(config.file), embedder);
    case "postgres":
      return PostgresPassageIndex.open(config, embedder);
  }
}
