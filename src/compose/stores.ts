import { createSqliteAnswerCache } from "../adapters/answer-cache/sqlite.ts";
import { SqlitePassageIndex } from "../adapters/passage-index/sqlite.ts";
import { createSqliteSessionStore } from "../adapters/session-store/sqlite.ts";
import type { Database } from "../adapters/sqlite/database.ts";
import type { Config } from "../config.ts";
import type { AnswerCache } from "../ports/answer-cache.ts";
import type { Embedder } from "../ports/embedder.ts";
import type { PassageIndex } from "../ports/passage-index.ts";
import type { SessionStore } from "../ports/session-store.ts";
import { endedRefusals } from "../wrap/ended-refusals.ts";
import { retriedSearches } from "../wrap/retried.ts";
import { spreadSearches } from "../wrap/spread.ts";
import { spreading } from "./endpoints.ts";
import type { Instruments } from "./instruments.ts";

/** What a question waits for. */
const SESSION_CALLS = ["begin", "finish", "load", "turns", "recall", "replace"] as const;
const SEARCH_CALLS = ["search", "version"] as const;
/** A server's own share of the limit for loading, so that its failure is told from a slow step. */
const ROUND_TRIP_SHARE = 0.8;

export async function chooseSessions(
  config: Config["session"],
  database: (file: string) => Database,
  instruments: Instruments,
): Promise<SessionStore> {
  switch (config.use) {
    case "sqlite":
      return createSqliteSessionStore(database(config.file), config);
    case "redis": {
      const { openRedisSessionStore } = await import("../adapters/session-store/redis.ts");
      const timeoutMs = config.timeoutMs * ROUND_TRIP_SHARE;
      const store = await openRedisSessionStore({ ...config, timeoutMs });
      return endedRefusals(instruments.store(store, config, SESSION_CALLS), config);
    }
    case "postgres": {
      const { openPostgresSessionStore } = await import("../adapters/session-store/postgres.ts");
      const timeoutMs = config.timeoutMs * ROUND_TRIP_SHARE;
      const store = await openPostgresSessionStore({ ...config, timeoutMs });
      return endedRefusals(instruments.store(store, config, SESSION_CALLS), config);
    }
  }
}

export function chooseCache(config: Config["cache"], database: (file: string) => Database): AnswerCache | null {
  return config.use === "none" ? null : createSqliteAnswerCache(database(config.file), config);
}

/** `embedder` names the vector space that the caller works in. */
export async function chooseIndex(
  config: Config["search"],
  database: (file: string) => Database,
  embedder: Pick<Embedder, "model" | "dimensions">,
  instruments: Instruments,
): Promise<PassageIndex> {
  switch (config.use) {
    case "sqlite":
      return retriedSearches(new SqlitePassageIndex(database(config.file), embedder), config);
    case "postgres": {
      const { PostgresPassageIndex } = await import("../adapters/passage-index/postgres.ts");
      return retriedSearches(await PostgresPassageIndex.open(config, embedder), config);
    }
    case "opensearch": {
      const { OpenSearchPassageIndex } = await import("../adapters/passage-index/opensearch.ts");
      const index = new OpenSearchPassageIndex(config, embedder);
      return retriedSearches(instruments.store(index, config, SEARCH_CALLS), config);
    }
    case "milvus": {
      const { MilvusPassageIndex } = await import("../adapters/passage-index/milvus.ts");
      const index = await MilvusPassageIndex.open(config, embedder);
      return retriedSearches(instruments.store(index, config, SEARCH_CALLS), config);
    }
    case "grpc": {
      const { createGrpcIndexes } = await import("../adapters/passage-index/grpc.ts");
      const endpoints = await createGrpcIndexes({ ...config, step: "search" }, embedder);
      const spread = spreadSearches(endpoints, spreading("search", config.timeoutMs, config));
      return retriedSearches(instruments.spread(spread), config);
    }
  }
}
