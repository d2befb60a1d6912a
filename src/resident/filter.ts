import { RaglineError } from "../errors.ts";
import type { Filter, MetadataValue } from "../types.ts";
import { select } from "./columns.ts";
import type { Segment } from "./segment.ts";

type Scalar = string | number | boolean;
type Holds = (value: MetadataValue | undefined) => boolean;

/** A filter that has been read and found well-formed. */
export type Condition =
  | { readonly kind: "field"; readonly field: string; readonly holds: Holds }
  | { readonly kind: "and" | "or"; readonly parts: readonly Condition[] }
  | { readonly kind: "not"; readonly part: Condition };

/** `$and`, `$or` and `$not` inside each other, at most. */
const DEPTH_MAX = 32;

/**
 * Reads a filter, or rejects it with `request_invalid`, naming the place.
 *
 * On a list, the conditions of one field hold when a single value of the list meets all of `$eq`, `$in` and the ranges,
 * and no value is the one of `$ne` or among those of `$nin`: these two are the exact opposite of `$eq` and `$in`.
 */
export function readFilter(filter: Filter, path = "filter", depth = 0): Condition {
  if (depth > DEPTH_MAX) throw invalid(path, `is nested deeper than ${DEPTH_MAX} levels`);
  if (!isRecord(filter)) throw invalid(path, "must be an object");
  const parts = Object.entries(filter).map(([key, value]): Condition => {
    const place = `${path}.${key}`;
    if (key === "$and" || key === "$or")
      return { kind: key === "$and" ? "and" : "or", parts: readList(value, place, depth) };
    if (key === "$not") return { kind: "not", part: readFilter(value as Filter, place, depth + 1) };
    if (key.startsWith("$")) throw invalid(place, "is not an operator; here $and, $or, $not and field names are");
    return { kind: "field", field: key, holds: readCondition(value, place) };
  });
  return { kind: "and", parts };
}

function readList(value: unknown, path: string, depth: number): Condition[] {
  if (!Array.isArray(value) || value.length === 0) throw invalid(path, "must be a list of at least one filter");
  return value.map((part: Filter, i) => readFilter(part, `${path}[${i}]`, depth + 1));
}

function readCondition(condition: unknown, path: string): Holds {
  if (isScalar(condition)) return anyValue((value) => value === condition);
  if (!isRecord(condition)) throw invalid(path, "must be a string, a number, true, false or an object of operators");
  const operators = Object.entries(condition);
  if (operators.length === 0) throw invalid(path, "has no operator");
  const wanted: ((value: Scalar) => boolean)[] = [];
  const unwanted: ((value: Scalar) => boolean)[] = [];
  for (const [operator, operand] of operators) {
    const place = `${path}.${operator}`;
    if (operator === "$ne") unwanted.push(equals(operand, place));
    else if (operator === "$nin") unwanted.push(isAmong(operand, place));
    else wanted.push(readWanted(operator, operand, place));
  }
  const meetsWanted: Holds =
    wanted.length === 0 ? () => true : anyValue((value) => wanted.every((test) => test(value)));
  const meetsUnwanted = anyValue((value) => unwanted.some((test) => test(value)));
  return (value) => meetsWanted(value) && !meetsUnwanted(value);
}

function readWanted(operator: string, operand: unknown, path: string): (value: Scalar) => boolean {
  switch (operator) {
    case "$eq":
      return equals(operand, path);
    case "$in":
      return isAmong(operand, path);
    case "$gt":
      return compares(operand, path, (order) => order > 0);
    case "$gte":
      return compares(operand, path, (order) => order >= 0);
    case "$lt":
      return compares(operand, path, (order) => order < 0);
    case "$lte":
      return compares(operand, path, (order) => order <= 0);
    default:
      throw invalid(path, "is not an operator; on a field $eq, $ne, $in, $nin, $gt, $gte, $lt and $lte are");
  }
}

function equals(operand: unknown, path: string): (value: Scalar) => boolean {
  if (!isScalar(operand)) throw invalid(path, "must be a string, a number, true or false");
  return (value) => value === operand;
}

function isAmong(operand: unknown, path: string): (value: Scalar) => boolean {
  if (!Array.isArray(operand) || !operand.every(isScalar)) {
    throw invalid(path, "must be a list of strings, numbers, true or false");
  }
  const values = new Set<Scalar>(operand);
  return (value) => values.has(value);
}

/** Numbers compare with numbers, strings with strings by UTF-16 code units (so ISO 8601 dates compare by time). */
function compares(operand: unknown, path: string, test: (order: number) => boolean): (value: Scalar) => boolean {
  if (typeof operand !== "string" && typeof operand !== "number") throw invalid(path, "must be a string or a number");
  return (value) => typeof value === typeof operand && test(value < operand ? -1 : value > operand ? 1 : 0);
}

function anyValue(test: (value: Scalar) => boolean): Holds {
  return (value) => {
    if (value === undefined) return false;
    return typeof value === "object" ? value.some(test) : test(value);
  };
}

/** The fields a condition speaks of. */
export function fieldsOf(condition: Condition): string[] {
  if (condition.kind === "field") return [condition.field];
  if (condition.kind === "not") return fieldsOf(condition.part);
  return condition.parts.flatMap(fieldsOf);
}

/** One byte a passage of the segment, 1 where the condition holds. */
export function evaluate(condition: Condition, segment: Segment): Uint8Array {
  switch (condition.kind) {
    case "field": {
      const column = segment.columns.get(condition.field);
      if (column) return select(column, condition.holds);
      return new Uint8Array(segment.size).fill(condition.holds(undefined) ? 1 : 0);
    }
    case "not":
      return evaluate(condition.part, segment).map((held) => 1 - held);
    case "and":
    case "or": {
      const isAnd = condition.kind === "and";
      const mask = new Uint8Array(segment.size).fill(isAnd ? 1 : 0);
      for (const part of condition.parts) {
        const other = evaluate(part, segment);
        for (let i = 0; i < mask.length; i++)
          mask[i] = isAnd ? (mask[i] as number) & (other[i] as number) : (mask[i] as number) | (other[i] as number);
      }
      return mask;
    }
  }
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(path: string, problem: string): RaglineError {
  return new RaglineError("request_invalid", `${path} ${problem}.`);
}
