import { RaglineError } from "../../errors.ts";

/** The parts of the configuration that name a PostgreSQL server. */
export type ConfigKey = "search" | "session";

/** SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html, or a code of Node's sockets. */
export function codeOf(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
}

/** Whether the connection is gone, or never came about, so that nothing more is to be had of it. */
export function isDisconnected(thrown: unknown): boolean {
  const message = thrown instanceof Error ? thrown.message : "";
  return (
    /^(08|57P0)/.test(codeOf(thrown)) ||
    /^E[A-Z]+$/.test(codeOf(thrown)) ||
    /^Connection terminated|is not queryable$/.test(message)
  );
}

/** Whether the server has forgotten what was prepared in the connection, or would plan it anew. */
export function isUnprepared(thrown: unknown): boolean {
  return codeOf(thrown) === "26000" || (codeOf(thrown) === "0A000" && /cached plan/.test(String(thrown)));
}

/** Whether what Ragline makes in the database is not there. */
export function isMissing(thrown: unknown): boolean {
  return MISSING.has(codeOf(thrown));
}

/** The statement's time was up, or it was cancelled. */
const QUERY_CANCELED = "57014";

/** A table, a schema, a function. */
const MISSING: ReadonlySet<string> = new Set(["42P01", "3F000", "42883"]);
const READ_ONLY = "25006";
const WRONG_PASSWORD = "28P01";
const REFUSED_LOGIN = "28000";
/** As the client says it. */
const NO_PASSWORD = /password must be a (?:non-empty )?string/;
const FULL = /^53/;
/** Serialisation failure and deadlock. */
const COLLISION = /^40/;
/** As the pool says it. */
const NO_CONNECTION = /^timeout exceeded when trying to connect/;
/** As PgBouncer says it. */
const UNTAKEN = /unsupported startup parameter/;
const TLS = /SSL|TLS|certificate|CERT/i;

/** What is worth telling clients, never what the server said. */
export function postgresError(key: ConfigKey, cause: unknown): RaglineError {
  if (cause instanceof RaglineError) return cause;
  const code = codeOf(cause);
  const failed = (message: string, retryable = true) =>
    new RaglineError("dependency_failed", message, { cause, retryable });
  if (code === QUERY_CANCELED) return new RaglineError("dependency_timeout", "PostgreSQL took too long.", { cause });
  if (code === REFUSED_LOGIN) return failed(refusedLogin(key, String(cause)), false);
  if (code === WRONG_PASSWORD || NO_PASSWORD.test(String(cause)))
    return failed(`PostgreSQL refuses user or password of ${key}.url.`, false);
  if (code === "3D000") return failed(`The database that ${key}.url names does not exist.`, false);
  if (FULL.test(code)) return failed("PostgreSQL is out of connections, memory or disk.");
  if (COLLISION.test(code)) return failed("Somebody else changed the same at the same time.");
  if (code === READ_ONLY)
    return failed(`PostgreSQL takes no writes: ${key}.url names a standby, or what is read-only.`);
  if (code === "42501") return failed(`The role of ${key}.url lacks a right in PostgreSQL.`, false);
  if (UNTAKEN.test(String(cause))) return behindPooler(key, cause);
  if (isMissing(cause)) return failed(`Ragline's tables are gone from ${key}.url.`);
  if (isDisconnected(cause)) return failed("PostgreSQL does not answer.");
  if (cause instanceof Error && NO_CONNECTION.test(cause.message)) return failed("PostgreSQL has no free connection.");
  if (cause instanceof Error && TLS.test(`${code} ${cause.message}`)) {
    return failed(`No TLS connection to PostgreSQL: see ${key}.url and ${key}.caFile.`, false);
  }
  return failed(`PostgreSQL refused${code && ` (${code})`}.`);
}

/** A pooler that refuses or drops the settings of connections: statements without them would find less, and run for ever. */
export function behindPooler(key: ConfigKey, cause?: unknown): RaglineError {
  const message = `What answers at ${key}.url, maybe a pooler (PgBouncer), does not take the settings of a connection: name PostgreSQL itself, of which ${key}.connectionsMax bounds the connections.`;
  return new RaglineError("dependency_failed", message, { cause, retryable: false });
}

/** By `pg_hba.conf`, or as the role is not there or may not log in. Older servers say "SSL off". */
function refusedLogin(key: ConfigKey, reason: string): string {
  if (/client certificate/.test(reason))
    return `PostgreSQL asks for a client certificate, and ${key} has none to show.`;
  if (/no encryption|SSL off/.test(reason)) {
    return `PostgreSQL refuses this host, user or database without TLS: set ${key}.tls, or see its pg_hba.conf.`;
  }
  return `PostgreSQL refuses this host, or the user or database of ${key}.url: see its pg_hba.conf.`;
}
