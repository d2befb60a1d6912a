import { spawn } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { onTestFinished } from "vitest";
import { until } from "./calls.ts";
import { folderForTest } from "./folder.ts";
import { debianProgram, found } from "./installed.ts";
import { accepts, freePort } from "./redis.ts";

export const pgBouncer = found("PgBouncer", () => debianProgram("pgbouncer", "pgbouncer"));

/** Starts PgBouncer before the database `ragline` of that port, until the running test ends. Returns the database's URL there. */
export async function pgBouncerForTest(to: number, settings: readonly string[]): Promise<string> {
  const folder = folderForTest();
  chmodSync(folder.path, 0o755);
  const port = await freePort();
  const lines = [
    "[databases]",
    `ragline = host=127.0.0.1 port=${to} user=ragline`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = any",
    ...settings,
  ];
  writeFileSync(folder.file("pgbouncer.ini"), lines.join("\n"));
  // It refuses to run as root.
  const account = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const child = spawn(pgBouncer.there ?? "", [folder.file("pgbouncer.ini")], { cwd: "/", stdio: "ignore", ...account });
  onTestFinished(() => void child.kill("SIGKILL"));
  await until("PgBouncer listens", () => accepts(port));
  return `postgres://ragline@127.0.0.1:${port}/ragline`;
}
