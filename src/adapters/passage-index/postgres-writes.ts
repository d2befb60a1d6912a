import { nonZero } from "../../statistics.ts";
import { type Document, groupsInOrder, type Metadata, type PassageInput, type Scope } from "../../types.ts";
import type { Query } from "../postgres/database.ts";
import type { HashedTerms } from "./hashed-terms.ts";
import { FIRST_VERSION, NEXT_VERSION, vectorsOf } from "./postgres-schema.ts";

/** Bits of a passage's number that are its place in the document. */
export const ORDINAL_BITS = 20;
export const PASSAGES_MAX = 1 << ORDINAL_BITS;

/** The space that a collection is in, locked for this transaction: one writes to it at a time. */
export interface ClaimedCollection {
  readonly row: number;
  readonly embedder: string;
  readonly dimensions: number;
}

/** Without documents a collection has no vector space, whatever was in it before. */
const IS_EMPTY = "NOT EXISTS (SELECT FROM documents d WHERE d.collection = c.row)";
const CLAIM = `INSERT INTO collections AS c (tenant, name, embedder, dimensions, version) VALUES ($1, $2, $3, $4, ${FIRST_VERSION})
  ON CONFLICT (tenant, name) DO UPDATE SET version = ${NEXT_VERSION},
    embedder = CASE WHEN ${IS_EMPTY} THEN excluded.embedder ELSE c.embedder END,
    dimensions = CASE WHEN ${IS_EMPTY} THEN excluded.dimensions ELSE c.dimensions END
  RETURNING row, embedder, dimensions`;

/** Makes the collection where it is unknown, or takes it over where it is empty. */
export async function claim(
  query: Query,
  { tenant, collection }: Scope,
  embedder: { readonly model: string; readonly dimensions: number },
): Promise<ClaimedCollection> {
  const [claimed] = await query<ClaimedCollection>(CLAIM, [tenant, collection, embedder.model, embedder.dimensions]);
  if (!claimed) throw new Error("a collection is neither made nor found");
  return claimed;
}

const CHANGED = `UPDATE collections AS c SET version = ${NEXT_VERSION} WHERE tenant = $1 AND name = $2 RETURNING row, embedder, dimensions`;

/** As `claim`, of a collection that is there; null: it is unknown. */
export async function claimKnown(query: Query, { tenant, collection }: Scope): Promise<ClaimedCollection | null> {
  const [claimed] = await query<ClaimedCollection>(CHANGED, [tenant, collection]);
  return claimed ?? null;
}

/** $1 collection, $2 document's id, $3 groups of who deletes it, or null: it is replaced, whoever may read it. */
const remove = (dimensions: number) => `WITH gone AS (
  DELETE FROM documents WHERE collection = $1 AND id = $2 AND ($3::text[] IS NULL OR groups = '{}' OR groups && $3)
  RETURNING row, readers, passages, fields
), places AS (
  SELECT gone.row << ${ORDINAL_BITS} | ordinal AS row FROM gone, generate_series(0, gone.passages - 1) ordinal
), texts AS (
  DELETE FROM passages p USING places WHERE p.row = places.row RETURNING p.row, p.readers, p.length, p.terms
), counted AS (
  SELECT texts.row, texts.readers, term FROM texts, unnest(texts.terms) term
), gone_postings AS (
  DELETE FROM postings p USING counted c WHERE p.readers = c.readers AND p.term = c.term AND p.passage = c.row
), fewer_frequencies AS (
  UPDATE frequencies f SET n = f.n - c.n FROM (SELECT readers, term, count(*) AS n FROM counted GROUP BY readers, term) c
  WHERE f.readers = c.readers AND f.term = c.term
), gone_vectors AS (
  DELETE FROM ${vectorsOf(dimensions)} v USING gone
  WHERE v.tenant = current_setting('ragline.tenant') AND v.readers = gone.readers AND v.document = gone.row
), gone_attributes AS (
  DELETE FROM attributes a USING gone WHERE a.document = gone.row
), fewer_fields AS (
  UPDATE fields f SET n = f.n - gone.passages FROM gone, unnest(gone.fields) name WHERE f.readers = gone.readers AND f.field = name
), fewer_readers AS (
  UPDATE readers r SET documents = r.documents - 1, passages = r.passages - gone.passages,
    tokens = r.tokens - (SELECT coalesce(sum(length), 0) FROM texts)
  FROM gone WHERE r.row = gone.readers
)
SELECT row FROM gone`;

/** Who may read a document of the collection, all of which stays as it is while it is claimed; null: there is none. */
export async function storedGroups(
  query: Query,
  { row }: ClaimedCollection,
  id: string,
): Promise<readonly string[] | null> {
  const sql = "SELECT groups FROM documents WHERE collection = $1 AND id = $2";
  const [stored] = await query<{ groups: string[] }>(sql, [row, id]);
  return stored?.groups ?? null;
}

/** Resolves to whether it was there. */
export async function removeDocument(
  query: Query,
  { row, dimensions }: ClaimedCollection,
  id: string,
  groups: readonly string[] | null,
): Promise<boolean> {
  return (await query(remove(dimensions), [row, id, groups])).length > 0;
}

const COUNT_READERS = `INSERT INTO readers AS r (tenant, collection, groups, documents, passages, tokens)
  VALUES ($1, $2, $3, 1, $4, $5)
  ON CONFLICT (tenant, collection, groups) DO UPDATE SET documents = r.documents + 1,
    passages = r.passages + excluded.passages, tokens = r.tokens + excluded.tokens
  RETURNING row`;

const insert = (dimensions: number) => `WITH document AS (
  INSERT INTO documents (collection, readers, id, title, url, hash, metadata, groups, source, fields, passages, indexed_at)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, coalesce($30::timestamptz, now())) RETURNING row
), texts AS (
  INSERT INTO passages (row, readers, headings, text, tokens, page, page_end, length, terms)
  SELECT document.row << ${ORDINAL_BITS} | (n - 1), $2, headings, text, tokens, page, page_end, length, terms::int[]
  FROM document, unnest($12::text[], $13::text[], $14::int[], $15::int[], $16::int[], $17::int[], $18::text[])
    WITH ORDINALITY AS t (headings, text, tokens, page, page_end, length, terms, n)
), words AS (
  INSERT INTO postings (passage, readers, term, count, length)
  SELECT document.row << ${ORDINAL_BITS} | ordinal, $2, term, count, length
  FROM document, unnest($19::int[], $20::int[], $21::int[], $22::int[]) AS t (ordinal, term, count, length)
), more_frequencies AS (
  INSERT INTO frequencies AS f (readers, term, n) SELECT $2, term, n FROM unnest($23::int[], $24::int[]) AS t (term, n)
  ON CONFLICT (readers, term) DO UPDATE SET n = f.n + excluded.n
), vectors AS (
  INSERT INTO ${vectorsOf(dimensions)} (tenant, readers, document, passage, vector)
  SELECT current_setting('ragline.tenant'), $2, document.row, document.row << ${ORDINAL_BITS} | ordinal, vector::vector
  FROM document, unnest($25::int[], $26::text[]) AS t (ordinal, vector)
), more_fields AS (
  INSERT INTO fields AS f (readers, field, n) SELECT $2, field, $11 FROM unnest($10::text[]) field
  ON CONFLICT (readers, field) DO UPDATE SET n = f.n + excluded.n
)
INSERT INTO attributes (document, readers, field, number, string)
SELECT document.row, $2, field, number, string
FROM document, unnest($27::text[], $28::float8[], $29::text[]) AS t (field, number, string)`;

/** Stores a document that is not there. */
export async function insertDocument(
  query: Query,
  { row, dimensions }: ClaimedCollection,
  { tenant, collection }: Scope,
  document: Document,
  passages: readonly PassageInput[],
  terms: readonly HashedTerms[],
): Promise<void> {
  const { id, title, url = null, hash, metadata, groups, source = null, indexedAt = null } = document;
  const lengths = terms.map(({ length }) => length);
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const [readers] = await query<{ row: number }>(COUNT_READERS, [
    tenant,
    collection,
    groupsInOrder(groups),
    passages.length,
    tokens,
  ]);
  const written = [row, readers?.row, id, title, url, hash, JSON.stringify(metadata), groups, source];
  await query(insert(dimensions), [
    ...[...written, Object.keys(metadata), passages.length],
    passages.map(({ headings }) => JSON.stringify(headings)),
    passages.map(({ text }) => text),
    numbers(passages.map(({ tokens }) => tokens)),
    passages.map(({ page }) => page ?? null),
    passages.map(({ pageEnd }) => pageEnd ?? null),
    numbers(lengths),
    terms.map(({ counts }) => numbers([...counts.keys()])),
    ...postingColumns(terms),
    ...vectorColumns(passages),
    ...attributeColumns(metadata),
    indexedAt,
  ]);
}

/** Ordinals, terms, counts, lengths; then terms and how many passages hold each. */
function postingColumns(passages: readonly HashedTerms[]): string[] {
  const columns: [number[], number[], number[], number[]] = [[], [], [], []];
  const frequencies = new Map<number, number>();
  for (const [ordinal, { counts, length }] of passages.entries()) {
    for (const [term, count] of counts) {
      columns[0].push(ordinal);
      columns[1].push(term);
      columns[2].push(count);
      columns[3].push(length);
      frequencies.set(term, (frequencies.get(term) ?? 0) + 1);
    }
  }
  return [...columns, [...frequencies.keys()], [...frequencies.values()]].map(numbers);
}

/** Vectors of zeros are near to nothing, and left out. */
function vectorColumns(passages: readonly PassageInput[]): [string, string[]] {
  const found = passages.flatMap((passage, ordinal) => {
    const vector = nonZero(passage.vector);
    return vector ? [{ ordinal, vector }] : [];
  });
  return [numbers(found.map(({ ordinal }) => ordinal)), found.map(({ vector }) => `[${vector.join(",")}]`)];
}

/** A row for every value: its field by kind, and the value. */
function attributeColumns(metadata: Metadata): [string[], (number | null)[], (string | null)[]] {
  const values = Object.entries(metadata).flatMap(([field, value]) =>
    [value].flat().map((one: string | number | boolean) => ({ field: attributeName(field, one), value: one })),
  );
  return [
    values.map(({ field }) => field),
    values.map(({ value }) => (typeof value === "string" ? null : Number(value))),
    values.map(({ value }) => (typeof value === "string" ? value : null)),
  ];
}

/** Values of other types are never compared. */
export function attributeName(field: string, value: string | number | boolean): string {
  return `${(typeof value)[0]}:${field}`;
}

function numbers(values: readonly number[]): string {
  return `{${values.join(",")}}`;
}
