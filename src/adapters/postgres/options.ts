import { readFileSync } from "node:fs";
import type { PoolConfig } from "pg";
import { RaglineError } from "../../errors.ts";
import { decodedPart } from "../../url-part.ts";
import type { ConfigKey } from "./failure.ts";

export interface PostgresOptions {
  /** `postgres://[user[:password]@]host[:port]/database` */
  readonly url: string;
  /** Only over TLS, and only to a server whose certificate is trusted. */
  readonly tls: boolean;
  /** PEM file of the authority behind the server's certificate, where the system does not know it. */
  readonly caFile?: string | undefined;
  /** Where the tables are; letters, digits and `_`, in lower case. */
  readonly schema: string;
  readonly connectionsMax: number;
  /** Limit for a call that has no earlier deadline. */
  readonly timeoutMs: number;
}

/** Of every connection, and of no other that is likely: by it one whose settings were dropped is told. */
export const PLAN_CACHE_MODE = "force_custom_plan";
/** A comma after user and password, before the database. */
const SEVERAL_HOSTS = /^\w+:\/\/(?:[^/?#]*@)?[^@/?#]*,[^@/?#]*(?:[/?#]|$)/;
/** For a connection, new or free again; callers who are in a hurry leave earlier. */
const WAIT_MAX_MS = 60_000;
/** After so long without a word a connection is tried by the system, so that one that was cut is noticed. */
const KEEP_ALIVE_MS = 30_000;

/**
 * What connections are made with. `settings`: of every connection, e.g. `hnsw.ef_search`.
 * @throws RaglineError `config_invalid`
 */
export function poolConfig(
  key: ConfigKey,
  options: PostgresOptions,
  settings: Readonly<Record<string, string | number>>,
): PoolConfig {
  const { url, tls, caFile, schema, connectionsMax } = options;
  const all = { search_path: `${schema},public`, jit: "off", plan_cache_mode: PLAN_CACHE_MODE, ...settings };
  return {
    ...readUrl(key, url),
    ssl: (tls || caFile !== undefined) && { rejectUnauthorized: true, ...(caFile && { ca: readCa(key, caFile) }) },
    options: Object.entries(all)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(" "),
    application_name: "ragline",
    pipeline: true,
    max: connectionsMax,
    connectionTimeoutMillis: WAIT_MAX_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    allowExitOnIdle: true,
  };
}

function readUrl(key: ConfigKey, text: string): PoolConfig {
  if (SEVERAL_HOSTS.test(text)) {
    throw new RaglineError("config_invalid", `${key}.url: takes one host; a list of several is not read`);
  }
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^postgres(ql)?:$/.test(url.protocol) || url.hostname === "" || url.pathname.length < 2) {
    throw new RaglineError("config_invalid", `${key}.url: must be postgres://[user[:password]@]host[:port]/database`);
  }
  if (url.search !== "") {
    const message = `${key}.url: must end with the database; nothing behind \`?\` is read, and TLS is configured by ${key}.tls and ${key}.caFile`;
    throw new RaglineError("config_invalid", message);
  }
  const decoded = (part: string) => decodedPart(`${key}.url`, part);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(url.port || 5432),
    database: decoded(url.pathname.slice(1)),
    ...(url.username !== "" && { user: decoded(url.username) }),
    ...(url.password !== "" && { password: decoded(url.password) }),
  };
}

function readCa(key: ConfigKey, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new RaglineError("config_invalid", `${key}.caFile: ${file} cannot be read`, { cause });
  }
}
