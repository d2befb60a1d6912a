import { fieldsOf, readFilter } from "../../resident/filter.ts";
import type { Filter } from "../../types.ts";
import { sortableLimits, sortableValue } from "./sortable-values.ts";

type Scalar = string | number | boolean;
type Condition = Readonly<Record<string, unknown>>;

const NONE = { match_none: {} };

/** The distinct fields that a filter speaks of. @throws RaglineError `request_invalid`, naming the place where it is malformed */
export function checkedFields(filter: Filter): string[] {
  return [...new Set(fieldsOf(readFilter(filter)))];
}

/** A filter that `checkedFields` has read, as a query over the keyword field `meta`, by what `readFilter` says that it means. */
export function filterQuery(filter: Filter): object {
  return all(
    Object.entries(filter).map(([key, value]) => {
      if (key === "$and") return all((value as Filter[]).map(filterQuery));
      if (key === "$or") return { bool: { should: (value as Filter[]).map(filterQuery), minimum_should_match: 1 } };
      if (key === "$not") return not(filterQuery(value as Filter));
      return fieldQuery(key, value as Scalar | Condition);
    }),
  );
}

/** One value of the document's meets all that is wanted, and none is unwanted. */
function fieldQuery(field: string, condition: Scalar | Condition): object {
  if (typeof condition !== "object") return among(field, [condition]);
  const { $ne, $nin = [], ...wanted } = condition;
  const unwanted = [...($ne === undefined ? [] : [$ne as Scalar]), ...($nin as Scalar[])];
  return all([
    ...(Object.keys(wanted).length > 0 ? [wantedQuery(field, wanted)] : []),
    ...(unwanted.length > 0 ? [not(among(field, unwanted))] : []),
  ]);
}

/** Values are listed where they can be; else there are bounds alone, all on numbers or all on strings. */
function wantedQuery(field: string, { $eq, $in, ...bounds }: Condition): object {
  const lists = [...($eq === undefined ? [] : [[$eq as Scalar]]), ...($in === undefined ? [] : [$in as Scalar[]])];
  const [first, ...others] = lists;
  const limits = Object.entries(bounds) as [string, string | number][];
  if (first) {
    const isWanted = (value: Scalar) => others.every((list) => list.includes(value)) && isWithin(value, limits);
    return among(field, first.filter(isWanted));
  }
  const [[, example] = ["", 0]] = limits;
  if (limits.some(([, limit]) => typeof limit !== typeof example)) return NONE;
  const [least, most] = sortableLimits(field, example);
  const ranges = limits.map(([operator, limit]) => ({ [operator.slice(1)]: sortableValue(field, limit) }));
  return { range: { meta: strictest(ranges, { gte: least, lte: most }) } };
}

/** One value meets all bounds: they are one range, of the strictest. The engine compares by bytes. */
function strictest(ranges: readonly Readonly<Record<string, string>>[], outermost: Record<string, string>) {
  let low = { operator: "gte", value: outermost.gte ?? "" };
  let high = { operator: "lte", value: outermost.lte ?? "" };
  for (const [operator, value] of ranges.flatMap((range) => Object.entries(range))) {
    const isLow = operator.startsWith("g");
    const bound = isLow ? low : high;
    const order = Buffer.compare(Buffer.from(value), Buffer.from(bound.value));
    const isStricter = isLow ? order > 0 : order < 0;
    // Of two equal bounds the one without the value itself.
    if (!isStricter && !(order === 0 && operator.length === 2)) continue;
    if (isLow) low = { operator, value };
    else high = { operator, value };
  }
  return { [low.operator]: low.value, [high.operator]: high.value };
}

function isWithin(value: Scalar, limits: readonly (readonly [string, string | number])[]): boolean {
  return limits.every(([operator, limit]) => {
    if (typeof value !== typeof limit) return false;
    if (operator === "$gt") return value > limit;
    if (operator === "$gte") return value >= limit;
    return operator === "$lt" ? value < limit : value <= limit;
  });
}

function among(field: string, values: readonly Scalar[]): object {
  if (values.length === 0) return NONE;
  return { terms: { meta: [...new Set(values.map((value) => sortableValue(field, value)))] } };
}

function all(parts: readonly object[]): object {
  const [only] = parts;
  if (only && parts.length === 1) return only;
  return parts.length === 0 ? { match_all: {} } : { bool: { filter: parts } };
}

function not(query: object): object {
  return { bool: { must_not: query } };
}
