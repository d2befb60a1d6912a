import { digest, LIST_LENGTHS, lengthMark, listOf, sortedDigits, sortedKey } from "./milvus-values.ts";
import type { SortableBound, SortableCondition } from "./sortable-filter.ts";

/** Every row has a part. */
const ALWAYS = 'part != ""';
const NEVER = 'part == ""';

/** By `sortedKey`: the lengths of lists that occur; of others, one. */
export type KnownLengths = ReadonlyMap<string, readonly number[]>;

/** The keys whose lists' lengths `filterExpression` needs. */
export function rangedKeys(condition: SortableCondition): string[] {
  switch (condition.kind) {
    case "all":
    case "any":
      return [...new Set(condition.parts.flatMap(rangedKeys))];
    case "not":
      return rangedKeys(condition.part);
    case "among":
      return [];
    case "within":
      return [sortedKey(condition.field, condition.example)];
  }
}

/**
 * A filter as an expression of Milvus. A comparison with what is not there is false on one server and unknown on the next: each
 * stands behind a mark that says that it is there.
 */
export function filterExpression(condition: SortableCondition, lengths: KnownLengths): string {
  switch (condition.kind) {
    case "all":
      return joined(condition.parts, lengths, " and ", ALWAYS);
    case "any":
      return joined(condition.parts, lengths, " or ", NEVER);
    case "not":
      return `(not ${filterExpression(condition.part, lengths)})`;
    case "among":
      if (condition.values.length === 0) return `(${NEVER})`;
      return `array_contains_any(meta, ${listOf(condition.values.map(digest))})`;
    case "within":
      return rangeExpression(condition, lengths);
  }
}

function joined(parts: readonly SortableCondition[], lengths: KnownLengths, by: string, empty: string): string {
  return `(${parts.map((part) => filterExpression(part, lengths)).join(by) || empty})`;
}

function rangeExpression(
  { field, example, low, high }: SortableCondition & { readonly kind: "within" },
  known: KnownLengths,
): string {
  const key = sortedKey(field, example);
  const compared = (place: string, operator: string, bound: SortableBound) =>
    bound ? [`${place} ${operator}${bound.isIncluded ? "=" : ""} "${sortedDigits(field, example, bound.value)}"`] : [];
  const at = (i: number) => {
    const place = `sorted["${key}"][${i}]`;
    return `(${[...compared(place, ">", low), ...compared(place, "<", high)].join(" and ")})`;
  };
  const ofLength = (length: number) => {
    const anyOf = Array.from({ length }, (_, i) => at(i)).join(" or ");
    return `(array_contains(meta, "${lengthMark(key, length)}") and (${anyOf}))`;
  };
  return `(${(known.get(key) ?? LIST_LENGTHS.slice(0, 1)).map(ofLength).join(" or ")})`;
}
