import type { VectorCache } from "../../ports/vector-cache.ts";
import type { RedisOptions } from "../redis/client.ts";
import { RedisConnection } from "../redis/connection.ts";

export interface RedisVectorCacheOptions extends RedisOptions {
  readonly keyPrefix: string;
  /** A vector is forgotten so long after it was stored. */
  readonly ttlMs: number;
}

/** Vectors in Redis, each a string of float32 bytes, little-endian, under prefix and key. @throws RaglineError `config_invalid` */
export async function openRedisVectorCache(options: RedisVectorCacheOptions): Promise<VectorCache> {
  const redis = await RedisConnection.open(options, "embed.sharedCache");
  const { keyPrefix, ttlMs } = options;
  return {
    async find(keys) {
      const found = await redis.values(keys.map((key) => keyPrefix + key));
      return found.map((bytes) => bytes && toVector(bytes));
    },
    async put(entries) {
      const stored = entries.map(([key, vector]) => [keyPrefix + key, toBytes(vector)] as const);
      await redis.store(stored, ttlMs);
    },
    close: () => redis.close(),
  };
}

function toBytes({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** Null: somebody else's value. */
function toVector(bytes: Buffer): Float32Array | null {
  if (bytes.length % 4 !== 0) return null;
  const vector = new Float32Array(new Uint8Array(bytes).buffer);
  return Number.isFinite(vector.reduce((sum, value) => sum + value, 0)) ? vector : null;
}
