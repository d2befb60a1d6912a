import { until } from "./calls.ts";
import { type RedisServer, startRedis } from "./redis.ts";

export interface Sentinels {
  /** The first of them is the master at the start. */
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly RedisServer[];
  /** Of the sentinels. */
  readonly url: string;
  close(): Promise<void>;
}

/** A master, two replicas and three sentinels, which know each other. */
export async function startSentinels(settings: readonly string[] = []): Promise<Sentinels> {
  const master = await startRedis(settings);
  const replicaOf = ["--replicaof", "127.0.0.1", `${master.port}`, "--repl-ping-replica-period", "1", ...settings];
  const servers = [master, await startRedis(replicaOf), await startRedis(replicaOf)];
  const monitor = ["SENTINEL", "MONITOR", "mymaster", "127.0.0.1", `${master.port}`, "2"];
  const sentinels: RedisServer[] = [];
  for (let i = 0; i < 3; i++) {
    const sentinel = await startRedis([], "redis-sentinel");
    sentinel.cli(...monitor);
    sentinel.cli("SENTINEL", "SET", "mymaster", "down-after-milliseconds", "500");
    sentinel.cli("SENTINEL", "SET", "mymaster", "failover-timeout", "2000");
    sentinels.push(sentinel);
  }
  const online = () => master.cli("INFO", "replication").match(/state=online/g)?.length === 2;
  await until("both replicas are in step", online, 30_000);
  const known = (sentinel: RedisServer) => sentinel.cli("INFO", "sentinel");
  await until(
    "the sentinels know all",
    () => sentinels.every((one) => /slaves=2,sentinels=3/.test(known(one))),
    30_000,
  );
  return {
    servers,
    sentinels,
    url: `redis://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(",")}`,
    async close() {
      for (const one of [...sentinels, ...servers]) await one.close();
    },
  };
}
