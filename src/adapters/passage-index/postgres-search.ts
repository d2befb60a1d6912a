import { RaglineError } from "../../errors.ts";
import type { SearchQuery, SearchResult } from "../../ports/passage-index.ts";
import type { Stem } from "../../text/tokens.ts";
import type { Filter, Passage, Scope, ScoredPassage } from "../../types.ts";
import type { Query } from "../postgres/database.ts";
import { hashedQuery } from "./hashed-terms.ts";
import { checkedFields, filterCondition } from "./postgres-filter.ts";
import type { Beginning, KnownCollections } from "./postgres-known.ts";
import {
  exactVectorLeg,
  type Hit,
  hitsOf,
  type LegHit,
  type LegScope,
  leg,
  nearVectorLeg,
  readHits,
  Values,
} from "./postgres-legs.ts";
import { checkSpace, type Space } from "./postgres-limits.ts";
import type { PostgresPassages } from "./postgres-passages.ts";
import { type Readable, readable } from "./postgres-readable.ts";
import { INDEXED_DIMENSIONS_MAX } from "./postgres-schema.ts";
import { firstPlan, isWhole, type TextPlan, textLeg, weigh, wholePlan } from "./postgres-text.ts";
import { isSame } from "./vector-space.ts";

/** Of the best by text, how many are looked at for one that matches a filter that most do. */
const DEEPER = 8;
/** How many known fields an error names. */
const FIELDS_NAMED_MAX = 20;
const EMPTY: SearchResult = { byText: [], byVector: [] };

/** Where a search goes another way; for tests to lower. */
export interface SearchTuning {
  /** So many passages are compared one by one: that takes a few milliseconds, and misses nothing. */
  readonly exactMax: number;
  /** Postings that are read without looking for what may be left out. */
  readonly postingsMin: number;
}

export const TUNING: SearchTuning = { exactMax: 5000, postingsMin: 8000 };

export interface SearchContext {
  readonly embedder: Space;
  readonly passages: PostgresPassages;
  readonly known: KnownCollections;
  readonly stem: Stem;
  readonly tuning: SearchTuning;
}

/** What a search began with is not the collection's state any more. */
class Outdated extends Error {}

/**
 * One search that begins with what is known, each of its statements in a transaction of its own; null: something is not known, or not
 * true any more.
 */
export async function searchKnown(
  query: Query,
  scope: Scope,
  wanted: SearchQuery,
  context: SearchContext,
): Promise<SearchResult | null> {
  const asked = askedOf(wanted, context.stem);
  const beginning = context.known.find(scope, asked);
  if (!beginning) return null;
  try {
    return await searchFrom(beginning, { query, scope, ...asked }, wanted, context);
  } catch (error) {
    if (error instanceof Outdated) return null;
    throw error;
  }
}

/** One search, in a transaction of its own. */
export async function searchCollection(
  query: Query,
  scope: Scope,
  wanted: SearchQuery,
  context: SearchContext,
): Promise<SearchResult> {
  const { embedder, tuning, known } = context;
  const asked = askedOf(wanted, context.stem);
  const { terms, filter } = asked;
  const fields = filter ? checkedFields(filter) : [];
  const found = await readable(query, scope, [...terms.keys()], fields.length > 0);
  checkFields(fields, found?.fields ?? []);
  if (!found || found.documents === 0) return EMPTY;
  if (wanted.vector) checkSpace(scope, found, embedder);
  const few = filter ? await fewMatching(query, filter, found, tuning.exactMax) : null;
  // Those of another space are checked every time.
  if (isSame({ model: found.embedder, dimensions: found.dimensions }, embedder))
    known.add(scope, asked, { found, few });
  return searchFrom({ found, few }, { query, scope, ...asked }, wanted, context);
}

interface Asked {
  /** The question's, and how often it holds each. */
  readonly terms: ReadonlyMap<number, number>;
  readonly filter: Filter | null;
}

function askedOf({ text, filter }: SearchQuery, stem: Stem): Asked {
  return { terms: text === undefined ? new Map() : hashedQuery(text, stem), filter: filter ?? null };
}

async function searchFrom(
  { found, few }: Beginning,
  { query, scope, terms, filter }: Asked & { readonly query: Query; readonly scope: Scope },
  { vector, limit }: SearchQuery,
  { passages, tuning }: SearchContext,
): Promise<SearchResult> {
  const matched = filter ? few !== null : found.passages <= tuning.exactMax;
  const search = { query, scope, found, filter, few, limit };
  const plan = firstPlan(weigh(terms, found), tuning.postingsMin);
  const searched = vector?.some((value) => value !== 0) ? vector : null;
  const isNear = !matched && found.dimensions <= INDEXED_DIMENSIONS_MAX;
  const rows = await hits(search, plan, searched && { vector: searched, isNear });
  const byText = leg(await wholeText(search, plan, rows), "byText");
  const near = leg(rows, "byVector");
  // The graph may be left before enough was found: they are compared one by one.
  const byVector =
    searched && isNear && near.length < Math.min(limit, found.passages)
      ? leg(await hits(search, null, { vector: searched, isNear: false }), "byVector")
      : near;
  const numbers = new Set([...byText, ...byVector].map(({ row }) => row));
  const read = await passages.read(query, found.epoch, numbers);
  if (read.size < numbers.size) throw new Outdated();
  return { byText: scored(byText, read), byVector: scored(byVector, read) };
}

function scored(hits: readonly LegHit[], passages: ReadonlyMap<number, Passage>): ScoredPassage[] {
  return hits.flatMap(({ row, score }) => {
    const passage = passages.get(row);
    return passage ? [{ passage, score }] : [];
  });
}

/** The rows of a plan, or of another one where its are not what all terms give. */
async function wholeText(search: Search, plan: TextPlan, rows: readonly Hit[]): Promise<readonly Hit[]> {
  const isAll = ({ essential, terms }: TextPlan) => essential === terms.length;
  const isShort = (some: readonly Hit[]) => search.filter !== null && leg(some, "byText").length < search.limit;
  const floor = Math.max(0, ...rows.map((row) => row.floor ?? 0));
  if (isAll(plan) || (isWhole(plan, floor) && !isShort(rows))) return rows;
  const whole = wholePlan(plan.terms, isShort(rows) ? 0 : floor);
  const again = await hits(search, whole, null);
  // Where a filter leaves too few of the best, all are looked at.
  return isAll(whole) || !isShort(again) ? again : hits(search, wholePlan(plan.terms, 0), null);
}

interface Search {
  readonly query: Query;
  readonly scope: Scope;
  readonly found: Readable;
  readonly filter: Filter | null;
  /** How many documents match the filter; null: many, or there is none. */
  readonly few: number | null;
  readonly limit: number;
}

/** @throws Outdated */
async function hits(
  { query, scope, found, filter, few, limit }: Search,
  text: TextPlan | null,
  near: { readonly vector: Float32Array; readonly isNear: boolean } | null,
): Promise<readonly Hit[]> {
  const values = new Values();
  const readers = values.bind(`{${found.readers.join(",")}}`, "int[]");
  const many = (document: string) =>
    filterCondition(filter ?? {}, values.bind, (condition) => isTrue(document, condition));
  const legs: LegScope = {
    values,
    readers,
    limit: values.bind(limit, "int"),
    depth: filter && few === null ? limit * DEEPER : limit,
    filter: filter && (few === null ? { many } : { few }),
  };
  const byText = text && text.terms.length > 0 ? textLeg(text, found, legs) : null;
  const vector = near && values.bind(binary(near.vector), "vector");
  const byVector = vector && (near.isNear ? nearVectorLeg(vector, found, legs) : exactVectorLeg(vector, found, legs));
  if (!byText && !byVector) return [];
  const matching = filter && few !== null ? matchingDocuments(filter, values, readers) : null;
  const collection = `tenant = ${values.bind(scope.tenant, "text")} AND name = ${values.bind(scope.collection, "text")}`;
  const [gave] = await query<{ found: string }>(hitsOf(byText, byVector, matching, collection), values.all);
  const { epoch, version, hits: all } = readHits(gave?.found ?? "[]");
  if (epoch !== found.epoch || version !== found.version) throw new Outdated();
  return all;
}

/** How many documents match, where they have so few passages that those can be compared one by one; else null. */
async function fewMatching(
  query: Query,
  filter: Filter,
  { readers, documents, passages }: Readable,
  passagesMax: number,
): Promise<number | null> {
  const values = new Values();
  const matching = matchingDocuments(filter, values, values.bind(`{${readers.join(",")}}`, "int[]"));
  const most = Math.ceil((passagesMax * documents) / Math.max(1, passages));
  const sql = `SELECT count(*)::int AS n FROM (${matching} LIMIT ${values.bind(most + 1, "int")}) m`;
  const [{ n } = { n: 0 }] = await query<{ n: number }>(sql, values.all);
  return n <= most ? n : null;
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
