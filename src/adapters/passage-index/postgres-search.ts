import { RaglineError } from "../../errors.ts";
import type { SearchQuery, SearchResult } from "../../ports/passage-index.ts";
import { nonZero } from "../../statistics.ts";
import type { Stem } from "../../text/tokens.ts";
import type { Filter, Passage, Scope, ScoredPassage } from "../../types.ts";
import { type Query, type ReadValue, readingValues } from "../postgres/database.ts";
import { hashedQuery } from "./hashed-terms.ts";
import { integers, vectorOf } from "./postgres-binary.ts";
import { type BoundFilter, boundFilter, checkedFields } from "./postgres-filter.ts";
import type { Beginning, KnownCollections } from "./postgres-known.ts";
import {
  BY_TEXT,
  BY_VECTOR,
  exactVectorLeg,
  type Hit,
  hitsOf,
  type LegHit,
  type LegScope,
  leg,
  nearVectorLeg,
  type Part,
  readHits,
  type StatementTexts,
  Values,
} from "./postgres-legs.ts";
import { checkSpace } from "./postgres-limits.ts";
import type { PostgresPassages } from "./postgres-passages.ts";
import { type Readable, readable } from "./postgres-readable.ts";
import { INDEXED_DIMENSIONS_MAX } from "./postgres-schema.ts";
import { firstPlan, type TextPlan, textLeg, weigh } from "./postgres-text.ts";
import { isSame, type Space } from "./vector-space.ts";

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
  readonly texts: StatementTexts;
  readonly stem: Stem;
  readonly tuning: SearchTuning;
}

/** What a search began with is not the collection's state any more. */
class Outdated extends Error {}

/**
 * One search that begins with what is known, each of its statements in a transaction of its own (`read`); null: something is not known, or not
 * true any more.
 */
export async function searchKnown(
  read: ReadValue,
  scope: Scope,
  wanted: SearchQuery,
  context: SearchContext,
): Promise<SearchResult | null> {
  const asked = askedOf(wanted, context.stem);
  const beginning = context.known.find(scope, asked);
  if (!beginning) return null;
  try {
    return await searchFrom(beginning, { read, scope, ...asked }, wanted, context);
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
  return searchFrom({ found, few }, { read: readingValues(query), scope, ...asked }, wanted, context);
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
  { read, scope, terms, filter }: Asked & { readonly read: ReadValue; readonly scope: Scope },
  { vector, limit }: SearchQuery,
  { passages, texts, tuning }: SearchContext,
): Promise<SearchResult> {
  const matched = filter ? few !== null : found.passages <= tuning.exactMax;
  const search = { read, texts, scope, found, filter, few, limit };
  const plan = firstPlan(weigh(terms, found), tuning.postingsMin);
  const searched = nonZero(vector);
  const isNear = !matched && found.dimensions <= INDEXED_DIMENSIONS_MAX;
  const rows = await hits(search, plan, searched && { vector: searched, isNear });
  const byText = leg(isCut(search, plan, rows) ? await hits(search, allOf(plan), null) : rows, BY_TEXT);
  const near = leg(rows, BY_VECTOR);
  // The graph may be left before enough was found: they are compared one by one.
  const byVector =
    searched && isNear && near.length < Math.min(limit, found.passages)
      ? leg(await hits(search, null, { vector: searched, isNear: false }), BY_VECTOR)
      : near;
  const numbers = new Set<number>();
  for (const { row } of byText) numbers.add(row);
  for (const { row } of byVector) numbers.add(row);
  const reading = passages.read(read, found.epoch, numbers);
  const named = reading instanceof Promise ? await reading : reading;
  if (named.size < numbers.size) throw new Outdated();
  return { byText: scored(byText, named), byVector: scored(byVector, named) };
}

function scored(hits: readonly LegHit[], passages: ReadonlyMap<number, Passage>): ScoredPassage[] {
  const found: ScoredPassage[] = [];
  for (const { row, score } of hits) {
    const passage = passages.get(row);
    if (passage) found.push({ passage, score });
  }
  return found;
}

/** Whether a filter leaves too few of the best, and not all terms were asked for. */
function isCut({ filter, limit }: Search, { terms, essential }: TextPlan, rows: readonly Hit[]): boolean {
  if (filter === null || essential === terms.length) return false;
  return rows.filter(([, byText]) => byText !== null).length < limit && !rows.some(([, , floor]) => floor === 0);
}

function allOf({ terms }: TextPlan): TextPlan {
  return { terms, essential: terms.length };
}

interface Search {
  readonly read: ReadValue;
  readonly texts: StatementTexts;
  readonly scope: Scope;
  readonly found: Readable;
  readonly filter: Filter | null;
  /** How many documents match the filter; null: many, or there is none. */
  readonly few: number | null;
  readonly limit: number;
}

/** @throws Outdated */
async function hits(
  { read, texts, scope, found, filter, few, limit }: Search,
  text: TextPlan | null,
  near: { readonly vector: Float32Array; readonly isNear: boolean } | null,
): Promise<readonly Hit[]> {
  const values = new Values();
  const readers = values.bind(integers(found.readers), "int[]");
  const bound = filter && boundFilter(filter, values.bind);
  const legs: LegScope = {
    values,
    readers,
    limit: values.bind(limit, "int"),
    depth: filter && few === null ? limit * DEEPER : limit,
    filter: bound && (few === null ? oneByOne(bound) : { few }),
  };
  const byText = text && text.terms.length > 0 ? textLeg(text, found, legs) : null;
  const byVector = near && vectorLeg(values.bind(vectorOf(near.vector), "vector"), near.isNear, found, legs);
  if (!byText && !byVector) return [];
  const matching = bound && few !== null ? matchingDocuments(bound, readers) : null;
  const collection = `tenant = ${values.bind(scope.tenant, "text")} AND name = ${values.bind(scope.collection, "text")}`;
  const sql = texts.of(hitsOf(byText, byVector, matching, collection));
  const { epoch, version, hits: all } = readHits((await read(sql, values.all)) ?? "[]");
  if (epoch !== found.epoch || version !== found.version) throw new Outdated();
  return all;
}

function vectorLeg(vector: string, isNear: boolean, found: Readable, legs: LegScope): Part {
  return isNear ? nearVectorLeg(vector, found, legs) : exactVectorLeg(vector, found, legs);
}

/** How many documents match, where they have so few passages that those can be compared one by one; else null. */
async function fewMatching(
  query: Query,
  filter: Filter,
  { readers, documents, passages }: Readable,
  passagesMax: number,
): Promise<number | null> {
  const values = new Values();
  const matching = matchingDocuments(boundFilter(filter, values.bind), values.bind(integers(readers), "int[]"));
  const most = Math.ceil((passagesMax * documents) / Math.max(1, passages));
  const sql = `SELECT count(*)::int AS n FROM (${matching.sql()} LIMIT ${values.bind(most + 1, "int")}) m`;
  const [{ n } = { n: 0 }] = await query<{ n: number }>(sql, values.all);
  return n <= most ? n : null;
}

function matchingDocuments({ shape, condition }: BoundFilter, readers: string): Part {
  const holds = (part: string) =>
    `d.row IN (SELECT a.document FROM attributes a WHERE a.readers = ANY (${readers}) AND ${part})`;
  return {
    shape: `matching ${readers} ${shape}`,
    sql: () => `SELECT d.row FROM documents d WHERE d.readers = ANY (${readers}) AND ${condition(holds)}`,
  };
}

/** Each looked up as a scalar, for one document after the other, as they come. */
function oneByOne({ shape, condition }: BoundFilter): LegScope["filter"] {
  const isTrue = (document: string, part: string) =>
    `(SELECT true FROM attributes a WHERE a.document = ${document} AND ${part} LIMIT 1) IS TRUE`;
  return { shape, many: (document) => condition((part) => isTrue(document, part)) };
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
