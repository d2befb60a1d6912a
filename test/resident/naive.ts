import { Partition, type PartitionChange, type ResidentPassage, type RowHit } from "../../src/resident/partition.ts";
import { passageText } from "../../src/text/passage-text.ts";
import { queryTokens, searchTokens } from "../../src/text/tokens.ts";
import type { Filter, Metadata, MetadataValue } from "../../src/types.ts";
import type { Content } from "./arbitraries.ts";

/** Applies the changes to a partition, and to a plain list beside it. */
export function applied(changes: readonly { removedDocuments: number[]; added: Content[] }[]) {
  const partition = new Partition();
  let passages: ResidentPassage[] = [];
  let row = 0;
  for (const { removedDocuments, added } of changes) {
    const change: PartitionChange = { removedDocuments, added: added.map((content) => ({ ...content, row: ++row })) };
    partition.apply(change);
    passages = [...passages.filter((passage) => !removedDocuments.includes(passage.documentRow)), ...change.added];
  }
  return { partition, passages };
}

/** BM25F as the formula has it, passage by passage. */
export function naiveText(passages: readonly ResidentPassage[], query: string): RowHit[] {
  const documents = passages.map((passage) => {
    const all = searchTokens(passageText(passage));
    const headings = searchTokens([passage.title, ...passage.headings].join(" "));
    return { all, headings, length: Math.max(1, all.length - headings.length) };
  });
  const average = documents.reduce((sum, { length }) => sum + length, 0) / documents.length;
  const times = (tokens: readonly string[], token: string) => tokens.filter((other) => other === token).length;
  const score = ({ all, headings, length }: (typeof documents)[number]) =>
    queryTokens(query).reduce((sum, token) => {
      const n = documents.filter((other) => other.all.includes(token)).length;
      const above = times(headings, token);
      const f = 2 * above + Math.max(0, times(all, token) - above) / (1 - 0.6 + (0.6 * length) / average);
      return f > 0 ? sum + (Math.log(1 + (documents.length - n + 0.5) / (n + 0.5)) * f) / (f + 0.9) : sum;
    }, 0);
  return best(documents.map((document, i) => ({ row: passages[i]?.row ?? 0, score: score(document) })).filter(isFound));
}

const isFound = ({ score }: RowHit) => score > 0;

export function naiveVector(passages: readonly ResidentPassage[], query: Float32Array): RowHit[] {
  if (query.every((value) => value === 0)) return [];
  const hits = passages.flatMap(({ row, vector }) => {
    if (!vector || vector.every((value) => value === 0)) return [];
    return [{ row, score: vector.reduce((sum, value, i) => sum + value * (query[i] ?? 0), 0) }];
  });
  return best(hits);
}

function best(hits: RowHit[]): RowHit[] {
  return hits.sort((a, b) => b.score - a.score || a.row - b.row);
}

export function isReadable(passage: ResidentPassage, groups: readonly string[]): boolean {
  return passage.groups.length === 0 || passage.groups.some((group) => groups.includes(group));
}

/** The filter's meaning, straight from its documentation. */
export function matches(filter: Filter, metadata: Metadata): boolean {
  return Object.entries(filter).every(([key, value]) => {
    if (key === "$and") return (value as Filter[]).every((part) => matches(part, metadata));
    if (key === "$or") return (value as Filter[]).some((part) => matches(part, metadata));
    if (key === "$not") return !matches(value as Filter, metadata);
    return holds(value, metadata[key]);
  });
}

function holds(condition: unknown, value: MetadataValue | undefined): boolean {
  const values: (string | number | boolean)[] = value === undefined ? [] : [value].flat();
  if (typeof condition !== "object" || condition === null) return values.some((one) => one === condition);
  const { $ne, $nin, ...wanted } = condition as Record<string, never>;
  if ($ne !== undefined && values.includes($ne)) return false;
  if ($nin !== undefined && values.some((one) => ($nin as unknown[]).includes(one))) return false;
  const tests = Object.entries(wanted);
  return (
    tests.length === 0 || values.some((one) => tests.every(([operator, operand]) => meets(one, operator, operand)))
  );
}

function meets(value: string | number | boolean, operator: string, operand: unknown): boolean {
  if (operator === "$eq") return value === operand;
  if (operator === "$in") return Array.isArray(operand) && operand.includes(value);
  if (typeof value === "number" && typeof operand === "number") return isOrdered(value - operand, operator);
  if (typeof value === "string" && typeof operand === "string") {
    return isOrdered(Number(value > operand) - Number(value < operand), operator);
  }
  return false;
}

function isOrdered(order: number, operator: string): boolean {
  if (operator === "$gt") return order > 0;
  if (operator === "$gte") return order >= 0;
  return operator === "$lt" ? order < 0 : order <= 0;
}

export function fieldsOf(filter: Filter): string[] {
  return Object.entries(filter).flatMap(([key, value]) => {
    if (key === "$and" || key === "$or") return (value as Filter[]).flatMap(fieldsOf);
    return key === "$not" ? fieldsOf(value as Filter) : [key];
  });
}
