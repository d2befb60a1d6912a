import { RaglineError } from "../../errors.ts";
import type { Query } from "../postgres/database.ts";
import { codeOf } from "../postgres/failure.ts";

/** Changes with the tables. */
const SCHEMA_VERSION = 1;
/** Any number of our own: two processes never make tables at once. */
const LOCK = 7_219_301;
/** Parts that the vectors are kept in, by tenant: the smaller a part's graph, the less a search meets what is not the tenant's. */
const PARTITIONS = 16;
/** Longest vectors that pgvector can index, as they are and in half precision. */
const VECTOR_MAX = 2000;
const HALFVEC_MAX = 4000;
/** Longest vectors that fit into a page beside the rest of their row. */
const INLINE_MAX = 1900;

/**
 * `readers`: every combination of groups that a collection's documents have, with what it counts; what a scope may read is some of
 * these, and every other table says which one its row is of. A document's row is never used again, so that a passage's number,
 * `document << 20 | ordinal`, names one text for ever. `postings` has a row for every passage and search token (its hash), read from its
 * index alone; `frequencies` how many passages that makes; `fields` how many passages have a metadata field; `attributes` the
 * metadata's values, under the field's name with `n:`, `s:` or `b:` before it.
 */
const TABLES = `
CREATE TABLE identity (id text NOT NULL, version int NOT NULL);
CREATE TABLE collections (
  row int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant text NOT NULL,
  name text NOT NULL,
  embedder text NOT NULL,
  dimensions int NOT NULL,
  version bigint NOT NULL DEFAULT 1,
  learned text,
  UNIQUE (tenant, name)
);
CREATE TABLE readers (
  row int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant text NOT NULL,
  collection text NOT NULL,
  groups text[] NOT NULL,
  documents bigint NOT NULL DEFAULT 0,
  passages bigint NOT NULL DEFAULT 0,
  tokens bigint NOT NULL DEFAULT 0,
  UNIQUE (tenant, collection, groups)
);
CREATE TABLE documents (
  row bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  collection int NOT NULL,
  readers int NOT NULL,
  id text COLLATE "C" NOT NULL,
  title text NOT NULL,
  url text,
  hash text NOT NULL,
  metadata text NOT NULL,
  groups text[] NOT NULL,
  source text,
  fields text[] NOT NULL,
  passages int NOT NULL,
  indexed_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (collection, id)
);
CREATE INDEX ON documents (readers);
CREATE TABLE passages (
  row bigint PRIMARY KEY,
  readers int NOT NULL,
  headings text NOT NULL,
  text text NOT NULL,
  tokens int NOT NULL,
  page int,
  page_end int,
  length int NOT NULL,
  terms int[] NOT NULL
);
CREATE TABLE postings (
  passage bigint NOT NULL,
  readers int NOT NULL,
  term int NOT NULL,
  count int NOT NULL,
  length int NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE UNIQUE INDEX ON postings (readers, term, passage) INCLUDE (count, length);
CREATE TABLE frequencies (
  readers int NOT NULL,
  term int NOT NULL,
  n int NOT NULL,
  PRIMARY KEY (readers, term)
) WITH (fillfactor = 70);
CREATE TABLE fields (
  readers int NOT NULL,
  field text NOT NULL,
  n bigint NOT NULL,
  PRIMARY KEY (readers, field)
);
CREATE TABLE attributes (
  document bigint NOT NULL,
  readers int NOT NULL,
  field text NOT NULL,
  number double precision,
  string text COLLATE "C"
);
CREATE INDEX ON attributes (document);
CREATE INDEX ON attributes (readers, field, number, document) WHERE number IS NOT NULL;
CREATE INDEX ON attributes (readers, field, string, document) WHERE string IS NOT NULL;
`;

/**
 * The second wall: whatever a statement asks for, it sees what `ragline.tenant`, `ragline.collection` and `ragline.groups` of its
 * transaction (a list of groups, or `*`) let it see, and nothing without them; FORCE: also the tables' owner.
 */
const ROW_SECURITY = `
CREATE FUNCTION in_scope(tenant text, collection text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT tenant = current_setting('ragline.tenant', true) AND collection = current_setting('ragline.collection', true) $$;
CREATE FUNCTION in_groups(groups text[]) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE coalesce(current_setting('ragline.groups', true), '') WHEN '' THEN false WHEN '*' THEN true
    ELSE groups = '{}' OR groups && current_setting('ragline.groups', true)::text[] END $$;
CREATE FUNCTION readable() RETURNS int[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce(array_agg(row), '{}') FROM readers $$;
CREATE FUNCTION collection_of(of_tenant text, of_name text, OUT version text, OUT learned text) LANGUAGE plpgsql AS $$ BEGIN
  PERFORM set_config('ragline.tenant', of_tenant, true), set_config('ragline.collection', of_name, true);
  SELECT c.version, c.learned INTO version, learned FROM collections c WHERE c.tenant = of_tenant AND c.name = of_name;
  version := (SELECT id FROM identity) || ':' || coalesce(version, '0');
END $$;
${guarded("collections", "in_scope(tenant, name)")}
${guarded("readers", "in_scope(tenant, collection) AND in_groups(groups)")}
${["documents", "passages", "postings", "frequencies", "fields", "attributes"].map(ofReaders).join("\n")}
`;

function guarded(table: string, condition: string): string {
  return `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE ${table} FORCE ROW LEVEL SECURITY;
CREATE POLICY scope ON ${table} USING (${condition});`;
}

function ofReaders(table: string): string {
  return guarded(table, "readers = ANY ((SELECT readable())::int[])");
}

/** Of one length each, as an index needs it. */
function vectorTable(dimensions: number): string {
  const table = vectorsOf(dimensions);
  const half = `(vector::halfvec(${dimensions})) halfvec_ip_ops`;
  const method = dimensions <= VECTOR_MAX ? "vector vector_ip_ops" : half;
  const parts = Array.from({ length: PARTITIONS }, (_, i) => {
    const part = `${table}_${i}`;
    return `CREATE TABLE ${part} PARTITION OF ${table} FOR VALUES WITH (MODULUS ${PARTITIONS}, REMAINDER ${i});
ALTER TABLE ${part} ENABLE ROW LEVEL SECURITY;
ALTER TABLE ${part} FORCE ROW LEVEL SECURITY;
${dimensions <= INLINE_MAX ? `ALTER TABLE ${part} ALTER vector SET STORAGE PLAIN;` : ""}`;
  });
  return `CREATE TABLE ${table} (
  tenant text NOT NULL,
  readers int NOT NULL,
  document bigint NOT NULL,
  passage bigint NOT NULL,
  vector vector(${dimensions}) NOT NULL
) PARTITION BY HASH (tenant);
${parts.join("\n")}
CREATE INDEX ON ${table} (readers, document);
${dimensions <= HALFVEC_MAX ? `CREATE INDEX ON ${table} USING hnsw (${method});` : ""}
${ofReaders(table)}`;
}

/** The table of vectors of this length. */
export function vectorsOf(dimensions: number): string {
  return `vectors_${dimensions}`;
}

/** What the index of the table is ordered by. */
export function indexedDistance(column: string, vector: string, dimensions: number): string {
  if (dimensions <= VECTOR_MAX) return `${column} <#> ${vector}`;
  return `(${column}::halfvec(${dimensions})) <#> ${vector}::halfvec(${dimensions})`;
}

export const INDEXED_DIMENSIONS_MAX = HALFVEC_MAX;

const NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/** Of a collection `c`: the microsecond, or one more than the last. In a database that was restored it is never one that a lost change had. */
export const NEXT_VERSION = `greatest(c.version + 1, ${NOW})`;
export const FIRST_VERSION = NOW;

export interface SchemaOptions {
  readonly schema: string;
  /** 0: not known yet, as no embedder apart was reached; there is no table for its vectors then. */
  readonly dimensions: number;
  /** False: also a role that row-level security does not hold for. */
  readonly rowSecurity: boolean;
}

/**
 * Makes what is missing of the schema, in one transaction.
 * @throws RaglineError `config_invalid`: the tables are of another version, or the role is one that row-level security does not hold for
 */
export async function ensureSchema(query: Query, { schema, dimensions, rowSecurity }: SchemaOptions): Promise<void> {
  if (rowSecurity) await checkRole(query);
  await query("BEGIN");
  try {
    await query(`SELECT pg_advisory_xact_lock(${LOCK})`);
    const has = async (table: string) =>
      (await query("SELECT 1 WHERE to_regclass($1) IS NOT NULL", [`${schema}.${table}`])).length > 0;
    const isMade = await has("identity");
    if (!isMade) {
      await query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
      await query("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public").catch(withoutVectors);
    }
    await checkVectors(query);
    if (!isMade) {
      await query(`${TABLES}${ROW_SECURITY}
        INSERT INTO identity VALUES (gen_random_uuid(), ${SCHEMA_VERSION})`);
    }
    const [identity] = await query<{ version: number }>("SELECT version FROM identity");
    if (identity?.version !== SCHEMA_VERSION) {
      throw new RaglineError(
        "config_invalid",
        `search.schema: the tables in ${schema} are of version ${identity?.version}, these need ${SCHEMA_VERSION}: use another schema, and index again`,
      );
    }
    if (dimensions > 0 && !(await has(vectorsOf(dimensions)))) await query(vectorTable(dimensions));
    await query("COMMIT");
  } catch (error) {
    await query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

/** 42501: it takes a superuser. 0A000, or in older versions 58P01: the server does not have it. */
function withoutVectors(cause: unknown): never {
  const reasons: Readonly<Record<string, string>> = {
    "42501": "The database of search.url has no pgvector: as a superuser run CREATE EXTENSION vector in it.",
    "0A000": NO_PGVECTOR,
    "58P01": NO_PGVECTOR,
  };
  const told = reasons[codeOf(cause)];
  if (told === undefined) throw cause;
  throw new RaglineError("dependency_failed", told, { cause, retryable: false });
}

const NO_PGVECTOR = "The server of search.url cannot make the extension vector: install pgvector there.";

/** Before 0.8 it knows no `hnsw.iterative_scan`: of what a scope may read, the vectors' graph would find little, without an error. */
async function checkVectors(query: Query): Promise<void> {
  const [found] = await query<{ schema: string; version: string; isSeen: boolean }>(
    `SELECT nspname AS schema, extversion AS version, to_regtype('vector') IS NOT NULL AS "isSeen"
     FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'vector'`,
  );
  const refused = (message: string) => new RaglineError("dependency_failed", message, { retryable: false });
  if (found?.isSeen === false) {
    throw refused(
      `The database of search.url has pgvector in the schema ${found.schema}: run ALTER EXTENSION vector SET SCHEMA public in it.`,
    );
  }
  if (found && /^0\.[0-7]\b/.test(found.version)) {
    throw refused(
      `The database of search.url has pgvector ${found.version}: install 0.8 or later, and run ALTER EXTENSION vector UPDATE in it.`,
    );
  }
}

async function checkRole(query: Query): Promise<void> {
  const [role] = await query<{ name: string; bypasses: boolean }>(
    "SELECT rolname AS name, rolsuper OR rolbypassrls AS bypasses FROM pg_roles WHERE rolname = current_user",
  );
  if (!role?.bypasses) return;
  throw new RaglineError(
    "config_invalid",
    `search.url: row-level security does not hold for the role ${role.name}: use an ordinary one that owns its database, or set search.rowSecurity: false`,
  );
}
