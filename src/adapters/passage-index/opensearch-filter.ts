import type { Filter } from "../../types.ts";
import { type SortableBound, type SortableCondition, sortableFilter } from "./sortable-filter.ts";
import { sortableLimits } from "./sortable-values.ts";

const NONE = { match_none: {} };

/** A filter that `checkedFields` has read, as a query over the keyword field `meta`. */
export function filterQuery(filter: Filter): object {
  return query(sortableFilter(filter));
}

function query(condition: SortableCondition): object {
  switch (condition.kind) {
    case "all":
      return condition.parts.length === 0 ? { match_all: {} } : { bool: { filter: condition.parts.map(query) } };
    case "any":
      if (condition.parts.length === 0) return NONE;
      return { bool: { should: condition.parts.map(query), minimum_should_match: 1 } };
    case "not":
      return { bool: { must_not: query(condition.part) } };
    case "among":
      return condition.values.length === 0 ? NONE : { terms: { meta: condition.values } };
    case "within": {
      const { field, example, low, high } = condition;
      const [least, most] = sortableLimits(field, example);
      return { range: { meta: { ...bound("gt", low, least), ...bound("lt", high, most) } } };
    }
  }
}

function bound(operator: "gt" | "lt", limit: SortableBound, outermost: string): object {
  const { value, isIncluded } = limit ?? { value: outermost, isIncluded: true };
  return { [isIncluded ? `${operator}e` : operator]: value };
}
