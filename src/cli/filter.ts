import { RaglineError } from "../errors.ts";
import type { Filter } from "../types.ts";

const CONDITION = /^([^=<>!]+?)\s*(>=|<=|!=|=|>|<)\s*(.*)$/s;
const OPERATORS: Readonly<Record<string, string>> = { ">=": "$gte", "<=": "$lte", ">": "$gt", "<": "$lt", "!=": "$ne" };

/**
 * A filter as typed: `lang=ko`, `year>=2024`, `category=leave,benefits` (any of them), or JSON as in the HTTP API. Several
 * must all hold. Numbers and true/false are read as such; quotes keep them text.
 * @throws RaglineError `request_invalid`
 */
export function parseFilters(conditions: readonly string[]): Filter | undefined {
  if (conditions.length === 0) return undefined;
  const filters = conditions.map(parseFilter);
  return filters.length === 1 ? filters[0] : { $and: filters };
}

function parseFilter(text: string): Filter {
  if (text.trimStart().startsWith("{")) {
    try {
      return JSON.parse(text) as Filter;
    } catch (cause) {
      throw new RaglineError("request_invalid", `--filter: not readable as JSON: ${(cause as Error).message}`, {
        cause,
      });
    }
  }
  const match = CONDITION.exec(text.trim());
  if (!match) throw new RaglineError("request_invalid", `--filter: ${JSON.stringify(text)} is not like field=value`);
  const [, field = "", sign = "=", value = ""] = match;
  const operator = OPERATORS[sign];
  if (operator && value === "") {
    throw new RaglineError("request_invalid", `--filter: ${JSON.stringify(text)} has no value after ${sign}`);
  }
  if (operator) return { [field]: { [operator]: literal(value) } };
  return { [field]: value.includes(",") ? { $in: value.split(",").map(literal) } : literal(value) };
}

function literal(text: string): string | number | boolean {
  const value = text.trim();
  if (/^-?\d+(\.\d+)?$/.test(value)) return Number(value);
  if (value === "true" || value === "false") return value === "true";
  return value.replace(/^(["'])(.*)\1$/, "$2");
}
