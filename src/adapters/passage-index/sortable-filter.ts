import { fieldsOf, readFilter } from "../../resident/filter.ts";
import type { Filter } from "../../types.ts";
import { sortableValue } from "./sortable-values.ts";

type Scalar = string | number | boolean;
type Operators = Readonly<Record<string, unknown>>;

/** One end of a range; null: open. */
export type SortableBound = { readonly value: string; readonly isIncluded: boolean } | null;

/** A filter over encoded values (see `sortableValue`), in what every engine can say. An empty `all` holds, an empty `any` does not. */
export type SortableCondition =
  | { readonly kind: "all" | "any"; readonly parts: readonly SortableCondition[] }
  | { readonly kind: "not"; readonly part: SortableCondition }
  /** One of the document's values is among these. */
  | { readonly kind: "among"; readonly values: readonly string[] }
  /** One of the field's values of the example's type lies between these, in the order of bytes. */
  | {
      readonly kind: "within";
      readonly field: string;
      readonly example: string | number;
      readonly low: SortableBound;
      readonly high: SortableBound;
    };

const NONE: SortableCondition = { kind: "any", parts: [] };

/** The distinct fields that a filter speaks of. @throws RaglineError `request_invalid`, naming the place where it is malformed */
export function checkedFields(filter: Filter): string[] {
  return [...new Set(fieldsOf(readFilter(filter)))];
}

/** A filter that `checkedFields` has read, by what `readFilter` says that it means. */
export function sortableFilter(filter: Filter): SortableCondition {
  return all(
    Object.entries(filter).map(([key, value]): SortableCondition => {
      if (key === "$and") return all((value as Filter[]).map(sortableFilter));
      if (key === "$or") return { kind: "any", parts: (value as Filter[]).map(sortableFilter) };
      if (key === "$not") return { kind: "not", part: sortableFilter(value as Filter) };
      return ofField(key, value as Scalar | Operators);
    }),
  );
}

/** One value of the document's meets all that is wanted, and none is unwanted. */
function ofField(field: string, condition: Scalar | Operators): SortableCondition {
  if (typeof condition !== "object") return among(field, [condition]);
  const { $ne, $nin = [], ...wanted } = condition;
  const unwanted = [...($ne === undefined ? [] : [$ne as Scalar]), ...($nin as Scalar[])];
  return all([
    ...(Object.keys(wanted).length > 0 ? [wantedOf(field, wanted)] : []),
    ...(unwanted.length > 0 ? [{ kind: "not", part: among(field, unwanted) } as const] : []),
  ]);
}

/** Values are listed where they can be; else there are bounds alone, all on numbers or all on strings. */
function wantedOf(field: string, { $eq, $in, ...bounds }: Operators): SortableCondition {
  const lists = [...($eq === undefined ? [] : [[$eq as Scalar]]), ...($in === undefined ? [] : [$in as Scalar[]])];
  const [first, ...others] = lists;
  const limits = Object.entries(bounds) as [string, string | number][];
  if (first) {
    const isWanted = (value: Scalar) => others.every((list) => list.includes(value)) && isWithin(value, limits);
    return among(field, first.filter(isWanted));
  }
  const [[, example] = ["", 0]] = limits;
  if (limits.some(([, limit]) => typeof limit !== typeof example)) return NONE;
  let [low, high]: [SortableBound, SortableBound] = [null, null];
  for (const [operator, limit] of limits) {
    const bound = { value: sortableValue(field, limit), isIncluded: operator.endsWith("e") };
    if (operator.startsWith("$g")) low = stricter(low, bound, 1);
    else high = stricter(high, bound, -1);
  }
  return { kind: "within", field, example, low, high };
}

/** One value meets all bounds: they are one range, of the strictest. Of two equal ones that without the value itself. */
function stricter(known: SortableBound, bound: NonNullable<SortableBound>, direction: 1 | -1): SortableBound {
  if (!known) return bound;
  const order = direction * Buffer.compare(Buffer.from(bound.value), Buffer.from(known.value));
  return order > 0 || (order === 0 && !bound.isIncluded) ? bound : known;
}

function isWithin(value: Scalar, limits: readonly (readonly [string, string | number])[]): boolean {
  return limits.every(([operator, limit]) => {
    if (typeof value !== typeof limit) return false;
    if (operator === "$gt") return value > limit;
    if (operator === "$gte") return value >= limit;
    return operator === "$lt" ? value < limit : value <= limit;
  });
}

function among(field: string, values: readonly Scalar[]): SortableCondition {
  return { kind: "among", values: [...new Set(values.map((value) => sortableValue(field, value)))] };
}

function all(parts: readonly SortableCondition[]): SortableCondition {
  const [only] = parts;
  return only && parts.length === 1 ? only : { kind: "all", parts };
}
