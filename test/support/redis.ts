import { execFileSync, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { RedisSessionOptions } from "../../src/adapters/session-store/redis.ts";
import type { RedisVectorCacheOptions } from "../../src/adapters/vector-cache/redis.ts";
import { until } from "./calls.ts";
import { temporaryFolder } from "./folder.ts";

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  readonly pid: number;
  alive(): boolean;
  signal(signal: NodeJS.Signals): void;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again on the same port and files. */
  restart(): Promise<void>;
  /** One command, as `redis-cli` prints its reply. */
  cli(...command: string[]): string;
  close(): Promise<void>;
}

/** Why there is no Redis to test against, or null. Installs Debian's package where that may be. */
export const redisMissing: string | null = missing();

function missing(): string | null {
  const there = () => {
    try {
      return execFileSync("redis-server", ["--version"], { encoding: "utf8" }).includes("v=7");
    } catch {
      return false;
    }
  };
  if (there()) return null;
  if (process.getuid?.() !== 0)
    return "no redis-server 7 here, and no right to install it: apt-get install redis-server";
  try {
    const quiet = {
      stdio: "ignore",
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
    } as const;
    execFileSync("apt-get", ["update", "-q"], { ...quiet, timeout: 120_000 });
    execFileSync("apt-get", ["install", "-yq", "redis-server", "redis-sentinel"], { ...quiet, timeout: 180_000 });
  } catch {
    // The check that follows says it.
  }
  return there() ? null : "no redis-server 7 here, and it could not be installed: apt-get install redis-server";
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error("no port");
  return port;
}

/** Ports on loopback that are free and differ: those that are asked for one after another may be the same. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(async (server) => {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const address = server.address();
      if (typeof address !== "object" || address === null) throw new Error("no port");
      return address.port;
    }),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => done(true)).on("error", () => done(false));
    const done = (yes: boolean) => {
      socket.destroy();
      resolve(yes);
    };
  });
}

/** A real server on loopback that writes every command to disk before it answers. */
export async function startRedis(options: readonly string[] = [], program = "redis-server"): Promise<RedisServer> {
  const folder = temporaryFolder();
  const port = await freePort();
  const place = ["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder.path];
  const durable = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];
  // Sentinels keep what they learn in a file of their own.
  const file = folder.file("sentinel.conf");
  if (program === "redis-sentinel") writeFileSync(file, "");
  const args = program === "redis-sentinel" ? [file, ...place] : [...place, ...durable];
  const start = () => {
    const child = spawn(program, [...args, ...options], { stdio: "ignore" });
    const gone = new Promise<void>((resolve) => child.once("close", () => resolve()));
    return { child, gone };
  };
  let running = start();
  const isUp = () => until(`redis accepts at ${port}`, () => accepts(port), 10_000);
  await isUp();
  const kill = async () => {
    running.child.kill("SIGKILL");
    await running.gone;
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return running.child.pid ?? 0;
    },
    alive: () => running.child.exitCode === null && running.child.signalCode === null,
    signal: (signal) => void running.child.kill(signal),
    kill,
    async restart() {
      running = start();
      await isUp();
    },
    cli: (...command) => execFileSync("redis-cli", ["-p", `${port}`, ...command], { encoding: "utf8" }).trim(),
    async close() {
      await kill();
      folder.remove();
    },
  };
}

/** Whether these servers take writes from now on. */
export function redisTakesWrites(servers: readonly RedisServer[], does: boolean): void {
  for (const server of servers) server.cli("CONFIG", "SET", "min-replicas-to-write", does ? "0" : "99");
}

export function vectorCacheOptions(url: string): RedisVectorCacheOptions {
  const limits = { timeoutMs: 1000, ttlMs: 60_000 };
  return { url, topology: "single", sentinelMaster: "mymaster", keyPrefix: "test:vector:", ...limits };
}

export function redisOptions(url: string): RedisSessionOptions {
  const limits = {
    timeoutMs: 2000,
    ttlMs: 60_000,
    leaseMs: 60_000,
    pendingMax: 64,
    replicasMin: 0,
    replicasTimeoutMs: 300,
  };
  return { url, topology: "single", sentinelMaster: "mymaster", keyPrefix: "test:", ...limits };
}
