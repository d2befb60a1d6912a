import { RaglineError } from "../../errors.ts";
import type { SearchQuery, SearchResult } from "../../ports/passage-index.ts";
import type { Stem } from "../../text/tokens.ts";
import type { Filter, Scope } from "../../types.ts";
import type { Query } from "../postgres/database.ts";
import { checkedFields, filterCondition } from "./postgres-filter.ts";
import {
  exactVectorLeg,
  type HitRow,
  hitsOf,
  type LegScope,
  leg,
  nearVectorLeg,
  textLeg,
  Values,
  weigh,
} from "./postgres-legs.ts";
import { checkSpace, type Space } from "./postgres-limits.ts";
import { type Readable, readable } from "./postgres-readable.ts";
import { INDEXED_DIMENSIONS_MAX } from "./postgres-schema.ts";
import { hashedQuery } from "./postgres-terms.ts";

/** So many passages are compared one by one: that takes a few milliseconds, and misses nothing. */
const EXACT_MAX = 5000;
/** How many known fields an error names. */
const FIELDS_NAMED_MAX = 20;
const EMPTY: SearchResult = { byText: [], byVector: [] };

/** One search, in a transaction of its own. */
export async function searchCollection(
  query: Query,
  scope: Scope,
  { vector, text, limit, filter }: SearchQuery,
  embedder: Space,
  stem: Stem,
): Promise<SearchResult> {
  const fields = filter ? checkedFields(filter) : [];
  const terms = text === undefined ? new Map<number, number>() : hashedQuery(text, stem);
  const found = await readable(query, scope, terms.keys(), fields.length > 0);
  checkFields(fields, found?.fields ?? []);
  if (!found || found.documents === 0) return EMPTY;
  if (vector) checkSpace(scope, found, embedder);
  const isFew = filter ? await isFewMatching(query, filter, found) : found.passages <= EXACT_MAX;
  const wanted = { weighed: weigh(terms, found), vector: vector?.some((value) => value !== 0) ? vector : null, limit };
  const isNear = !isFew && wanted.vector !== null && found.dimensions <= INDEXED_DIMENSIONS_MAX;
  const rows = await hits(query, found, wanted, filter ?? null, isFew, isNear);
  const result = { byText: leg(rows, "byText"), byVector: leg(rows, "byVector") };
  if (!isNear || result.byVector.length >= Math.min(limit, found.passages)) return result;
  // The graph was left before enough was found: they are compared one by one.
  const exact = await hits(query, found, { ...wanted, weighed: [] }, filter ?? null, true, false);
  return { ...result, byVector: leg(exact, "byVector") };
}

interface Wanted {
  readonly weighed: ReturnType<typeof weigh>;
  readonly vector: Float32Array | null;
  readonly limit: number;
}

async function hits(
  query: Query,
  found: Readable,
  { weighed, vector, limit }: Wanted,
  filter: Filter | null,
  isFew: boolean,
  isNear: boolean,
): Promise<HitRow[]> {
  const values = new Values();
  const readers = values.bind(`{${found.readers.join(",")}}`, "int[]");
  const many = (document: string) =>
    filterCondition(filter ?? {}, values.bind, (condition) => isTrue(document, condition));
  const scope: LegScope = {
    values,
    readers,
    limit: values.bind(limit, "int"),
    filter: filter && (isFew ? { few: true } : { many }),
  };
  const text = weighed.length > 0 ? textLeg(weighed, found, scope) : null;
  const near = vector && values.bind(binary(vector), "vector");
  const byVector = near && (isNear ? nearVectorLeg(near, found, scope) : exactVectorLeg(near, found, scope));
  if (!text && !byVector) return [];
  const matching = filter && isFew ? matchingDocuments(filter, values, readers) : null;
  return query<HitRow>(hitsOf(text, byVector, matching), values.all);
}

/** Whether the documents that match have so few passages that those can be compared one by one. */
async function isFewMatching(
  query: Query,
  filter: Filter,
  { readers, documents, passages }: Readable,
): Promise<boolean> {
  const values = new Values();
  const matching = matchingDocuments(filter, values, values.bind(`{${readers.join(",")}}`, "int[]"));
  const most = Math.ceil((EXACT_MAX * documents) / Math.max(1, passages));
  const sql = `SELECT count(*)::int AS n FROM (${matching} LIMIT ${values.bind(most + 1, "int")}) m`;
  const [counted] = await query<{ n: number }>(sql, values.all);
  return (counted?.n ?? 0) <= most;
}

function matchingDocuments(filter: Filter, values: Values, readers: string): string {
  const holds = (condition: string) =>
    `d.row IN (SELECT a.document FROM attributes a WHERE a.readers = ANY (${readers}) AND ${condition})`;
  return `SELECT d.row FROM documents d WHERE d.readers = ANY (${readers}) AND ${filterCondition(filter, values.bind, holds)}`;
}

/** As a scalar, so that it is looked up for one document after the other, as they come. */
function isTrue(document: string, condition: string): string {
  return `(SELECT true FROM attributes a WHERE a.document = ${document} AND ${condition} LIMIT 1) IS TRUE`;
}

/** @throws RaglineError `request_invalid`: nothing that may be read has the field */
function checkFields(wanted: readonly string[], known: readonly string[]): void {
  for (const field of wanted) {
    if (known.includes(field)) continue;
    const names = [...known].sort((a, b) => (a < b ? -1 : 1));
    const more = names.length > FIELDS_NAMED_MAX ? ", …" : "";
    const described =
      known.length > 0 ? `known fields: ${names.slice(0, FIELDS_NAMED_MAX).join(", ")}${more}` : "none has any";
    throw new RaglineError("request_invalid", `filter.${field}: no document has this field (${described}).`);
  }
}

/** As pgvector receives a vector: its length and a zero, 16 bits each, then float32, big-endian. */
function binary(vector: Float32Array): Buffer {
  const bytes = Buffer.allocUnsafe(4 + vector.length * 4);
  bytes.writeUInt16BE(vector.length, 0);
  bytes.writeUInt16BE(0, 2);
  for (let i = 0; i < vector.length; i++) bytes.writeFloatBE(vector[i] as number, 4 + i * 4);
  return bytes;
}
