import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, describe, expect, test } from "vitest";
import { until } from "../support/calls.ts";
import { addressOf, DEPLOY, servicesOf } from "../support/compose.ts";
import { temporaryFolder } from "../support/folder.ts";
import { postgresMissing, startPostgres } from "../support/postgres.ts";
import { freePorts, redisMissing } from "../support/redis.ts";

const services = servicesOf("compose-phase-3.yaml");
const folder = temporaryFolder();
const running = new Map<string, ChildProcess>();

interface Ports {
  readonly redis: number;
  readonly sentinel: number;
}

/** A service's own command here: its files, its network as addresses of loopback, other ports. */
function startService(name: string, ports: Ports): void {
  const address = loopback(addressOf(services, name));
  const data = folder.file(name);
  mkdirSync(data, { recursive: true });
  const file = (of: string, ...changes: string[]) =>
    ["sed", ...changes.map((change) => `-e '${change}'`), join(DEPLOY, "redis", of)].join(" ");
  const sentinel = file("sentinel.conf", "s/172.30.54/127.30.54/", `s/ 6379/ ${ports.redis}/`, "/^port/d");
  const script = loopback(services[name]?.command?.at(-1) ?? "")
    .replaceAll(/ 6379\b/g, ` ${ports.redis}`)
    .replace("cat /etc/ragline/redis.conf", file("redis.conf", `s:/data:${data}:`))
    .replace("cp /etc/ragline/sentinel.conf .", `${sentinel} > sentinel.conf`);
  const port = name.startsWith("redis") ? ports.redis : ports.sentinel;
  const own = `--bind ${address} --bind-source-addr ${address} --port ${port}`;
  running.set(name, spawn("sh", ["-c", `${script} ${own}`], { cwd: data, stdio: "ignore" }));
}

const loopback = (text: string) => text.replaceAll("172.30.54.", "127.30.54.");

async function killService(name: string): Promise<void> {
  const child = running.get(name);
  const gone = new Promise((resolve) => child?.once("close", resolve));
  child?.kill("SIGKILL");
  await gone;
  running.delete(name);
}

describe("compose-phase-3.yaml", () => {
  afterAll(async () => {
    for (const name of running.keys()) await killService(name);
    folder.remove();
  });

  // Elsewhere only 127.0.0.1 is there to listen on.
  test.skipIf(redisMissing ?? process.platform !== "linux")(
    "Redis: the sentinels choose another master, and the old one follows it",
    async () => {
      const [redis = 0, sentinel = 0] = await freePorts(2);
      const ports = { redis, sentinel };
      const names = Object.keys(services).filter((name) => /^(redis|sentinel)-/.test(name));
      for (const name of names) startService(name, ports);
      const cli = (name: string, ...command: string[]) => {
        const port = name.startsWith("redis") ? ports.redis : ports.sentinel;
        const place = ["-h", loopback(addressOf(services, name)), "-p", `${port}`];
        try {
          return execFileSync("redis-cli", [...place, ...command], { encoding: "utf8", stdio: "pipe" }).trim();
        } catch {
          return "";
        }
      };
      const sentinels = [1, 2, 3].map((i) => `sentinel-${i}`);
      const know = () => sentinels.every((name) => /slaves=2,sentinels=3/.test(cli(name, "INFO", "sentinel")));
      await until("the sentinels know all", know, 30_000);
      const masterOf = (name: string) =>
        cli(name, "SENTINEL", "get-master-addr-by-name", "mymaster").split("\n")[0] ?? "";
      const first = loopback(addressOf(services, "redis-1"));
      for (const name of sentinels) expect(masterOf(name)).toBe(first);
      await killService("redis-1");
      const agree = () => new Set(sentinels.map(masterOf)).size === 1 && masterOf("sentinel-1") !== first;
      await until("another is master", agree, 30_000);
      startService("redis-1", ports);
      await until("the old one follows", () => /role:slave/.test(cli("redis-1", "INFO", "replication")), 60_000);
      await killService("redis-1");
      startService("redis-1", ports);
      await until("it is up again", () => cli("redis-1", "PING") === "PONG", 10_000);
      expect(cli("redis-1", "INFO", "replication")).toMatch(/role:slave/);
    },
  );

  test.skipIf(postgresMissing)("PostgreSQL: the role of init.sh owns its database and is no superuser", async () => {
    const server = await startPostgres();
    try {
      const maintenance = server.superuserUrl.replace(/\w+$/, "postgres");
      const superuser = new pg.Client({ connectionString: maintenance });
      await superuser.connect();
      await superuser.query("DROP DATABASE ragline");
      await superuser.query("DROP ROLE ragline");
      await superuser.end();
      const place = { PGHOST: "127.0.0.1", PGPORT: `${server.port}`, RAGLINE_POSTGRES_PASSWORD: "secret" };
      execFileSync(join(DEPLOY, "postgres/init.sh"), { env: { ...process.env, ...place }, stdio: "pipe" });
      const client = new pg.Client({ connectionString: server.url });
      await client.connect();
      const { rows } = await client.query(`SELECT rolsuper, rolbypassrls, extname FROM pg_roles, pg_extension
        WHERE rolname = current_user AND extname = 'vector'`);
      await client.query("CREATE SCHEMA ragline");
      await client.end();
      expect(rows).toEqual([{ rolsuper: false, rolbypassrls: false, extname: "vector" }]);
    } finally {
      await server.close();
    }
  });
});
