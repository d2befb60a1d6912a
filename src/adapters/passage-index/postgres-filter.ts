import { fieldsOf, readFilter } from "../../resident/filter.ts";
import type { Filter } from "../../types.ts";
import type { StatementValue } from "../postgres/messages.ts";
import { doubles } from "./postgres-binary.ts";
import { textArray } from "./postgres-scope.ts";
import { attributeName } from "./postgres-writes.ts";

const SIGNS: Readonly<Record<string, string>> = { $gt: ">", $gte: ">=", $lt: "<", $lte: "<=" };

type Scalar = string | number | boolean;

/** A filter whose values are bound in a statement: the condition for what `holds` says there, as often as it is wanted. */
export interface BoundFilter {
  readonly shape: string;
  readonly condition: (holds: (condition: string) => string) => string;
}

export function boundFilter(filter: Filter, bind: (value: StatementValue, type: string) => string): BoundFilter {
  const names: string[] = [];
  const named = (value: StatementValue, type: string) => {
    const name = bind(value, type);
    names.push(name);
    return name;
  };
  return {
    shape: filterCondition(filter, named, (condition) => `holds ${condition}`),
    condition: (holds) => {
      const left = names.values();
      return filterCondition(filter, () => left.next().value ?? "", holds);
    },
  };
}

/**
 * The filter as a condition of a statement's, by what `readFilter` says that it means. `holds`: the condition that a document has a
 * value `a` in `attributes` for which the condition given holds. `bind` gives a value's name in the statement.
 */
function filterCondition(
  filter: Filter,
  bind: (value: StatementValue, type: string) => string,
  holds: (condition: string) => string,
): string {
  const ofFilter = (part: Filter): string =>
    all(
      Object.entries(part).map(([key, value]) => {
        if (key === "$and") return all((value as Filter[]).map(ofFilter));
        if (key === "$or") return any((value as Filter[]).map(ofFilter));
        if (key === "$not") return `NOT ${ofFilter(value as Filter)}`;
        return ofField(key, value as Scalar | Readonly<Record<string, unknown>>);
      }),
    );

  /** One value of the document's meets all that is wanted, and none is unwanted. */
  const ofField = (field: string, condition: Scalar | Readonly<Record<string, unknown>>): string => {
    if (typeof condition !== "object") return holds(equals(field, [condition]));
    const { $ne, $nin, ...wanted } = condition;
    const unwanted = [...($ne === undefined ? [] : [$ne as Scalar]), ...(($nin as Scalar[] | undefined) ?? [])];
    const parts = Object.entries(wanted).map(([operator, operand]) => ofOperator(field, operator, operand));
    return all([
      ...(parts.length > 0 ? [holds(parts.join(" AND "))] : []),
      ...(unwanted.length > 0 ? [`NOT ${holds(equals(field, unwanted))}`] : []),
    ]);
  };

  const ofOperator = (field: string, operator: string, operand: unknown): string => {
    if (operator === "$eq") return equals(field, [operand as Scalar]);
    if (operator === "$in") return equals(field, operand as Scalar[]);
    const sign = SIGNS[operator] ?? "=";
    return `(a.field = ${bind(attributeName(field, operand as Scalar), "text")} AND ${column(operand as Scalar)} ${sign} ${bindScalar(operand as Scalar)})`;
  };

  const equals = (field: string, operands: readonly Scalar[]): string =>
    any(
      (["string", "number", "boolean"] as const).flatMap((type) => {
        const some = operands.filter((operand) => typeof operand === type);
        const [one] = some;
        if (one === undefined) return [];
        const name = bind(attributeName(field, one), "text");
        const among = type === "string" ? bind(textArray(some), "text[]") : bind(doubles(some.map(Number)), "float8[]");
        return [`(a.field = ${name} AND ${column(one)} = ANY (${among}))`];
      }),
    );

  const bindScalar = (value: Scalar) =>
    typeof value === "string" ? bind(value, "text") : bind(Number(value), "float8");
  return ofFilter(filter);
}

/**
 * The fields that a filter speaks of.
 * @throws RaglineError `request_invalid`, naming the place where it is malformed
 */
export function checkedFields(filter: Filter): string[] {
  return fieldsOf(readFilter(filter));
}

function column(value: Scalar): string {
  return typeof value === "string" ? "a.string" : "a.number";
}

function all(parts: readonly string[]): string {
  return parts.length === 0 ? "true" : `(${parts.join(" AND ")})`;
}

function any(parts: readonly string[]): string {
  return parts.length === 0 ? "false" : `(${parts.join(" OR ")})`;
}
