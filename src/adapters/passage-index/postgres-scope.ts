import { RaglineError } from "../../errors.ts";
import type { Scope } from "../../types.ts";

/** Whose rows a transaction may see: those of a scope, or all of its collection, whatever their groups. */
export type Sight = "scope" | "collection";

/** Plans that are made for a document's few rows must not read a table of millions. */
const BY_INDEX = "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;";

/** What a transaction that reads begins with: one state of the database throughout, and the scope for row-level security. */
export function beginReading(scope: Scope, sight: Sight, limitMs: number): string {
  return `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${settings(scope, sight, limitMs)}`;
}

export function beginWriting(scope: Scope, limitMs: number): string {
  return `BEGIN; ${BY_INDEX} ${settings(scope, "collection", limitMs)}`;
}

/** Of a transaction, by name: whose rows it may see. */
export function settingsOf({ tenant, collection, groups }: Scope, sight: Sight): Readonly<Record<string, string>> {
  const seen = sight === "collection" ? "*" : textArray(groups);
  const settings = { "ragline.tenant": tenant, "ragline.collection": collection, "ragline.groups": seen };
  if (Object.values(settings).some((value) => value.includes("\0")))
    throw new RaglineError("request_invalid", "tenant, collection, groups: hold the character U+0000");
  return settings;
}

function settings(scope: Scope, sight: Sight, limitMs: number): string {
  const own = Object.entries(settingsOf(scope, sight)).map(([name, value]) => `SET LOCAL ${name} = ${literal(value)}`);
  return [`SET LOCAL statement_timeout = ${limitMs}`, ...own].join("; ");
}

/** As `quote_literal`. */
function literal(value: string): string {
  const doubled = value.replaceAll("'", "''").replaceAll("\\", "\\\\");
  return value.includes("\\") ? ` E'${doubled}'` : `'${doubled}'`;
}

/** As PostgreSQL reads a `text[]`. */
export function textArray(values: readonly unknown[]): string {
  return `{${values.map((value) => `"${String(value).replace(/["\\]/g, "\\$&")}"`).join(",")}}`;
}
