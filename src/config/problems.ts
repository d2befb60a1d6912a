import { z } from "zod";
import { configSchema } from "./schema.ts";
import { worded } from "./worded.ts";

type Issue = z.core.$ZodIssue;

interface Schema {
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
}

/** Every problem of a configuration that broke the schema, one a line: where, what is wrong, and what was likely meant. */
export function configProblems(input: unknown, issues: readonly Issue[]): string[] {
  return issues.flatMap((issue) => {
    const at = (key?: string) => [...issue.path, ...(key === undefined ? [] : [key])].join(".") || "(top level)";
    if (issue.code === "unrecognized_keys") {
      const known = keysAt(input, issue.path);
      return issue.keys.map((key) => `${at(key)}: there is no such key${suggestion(key, known)}`);
    }
    if (issue.code === "invalid_union" && issue.discriminator !== undefined) {
      const uses = variants(schemaAt(input, issue.path.slice(0, -1))).map((one) => String(one.properties?.use?.const));
      const given = valueAt(input, issue.path);
      return `${at()}: ${JSON.stringify(given) ?? "nothing"} is not one of ${uses.join(", ")}${suggestion(String(given), uses)}`;
    }
    if (issue.code === "invalid_union") return `${at()}: ${alternatives(issue.errors)}`;
    return `${at()}: ${worded(issue.message)}`;
  });
}

function alternatives(errors: readonly (readonly Issue[])[]): string {
  const messages = errors.flatMap((issues) =>
    issues.map(({ path, message }) => [path.join("."), worded(message)].filter(Boolean).join(": ")),
  );
  return [...new Set(messages)].join(", or ");
}

export function valueAt(input: unknown, path: Issue["path"]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], input);
}

function keysAt(input: unknown, path: Issue["path"]): string[] {
  return Object.keys(schemaAt(input, path)?.properties ?? {});
}

/** The part of the schema that `path` leads to, by the `use` of the blocks on the way. */
function schemaAt(input: unknown, path: Issue["path"]): Schema | undefined {
  let schema: Schema | undefined = z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" }) as Schema;
  for (const [depth, key] of path.entries()) {
    schema = chosen(schema?.properties?.[String(key)], valueAt(input, path.slice(0, depth + 1)));
  }
  return schema;
}

function chosen(schema: Schema | undefined, value: unknown): Schema | undefined {
  const { use } = (value ?? {}) as { readonly use?: unknown };
  return schema?.oneOf?.find((one) => one.properties?.use?.const === use) ?? schema;
}

function variants(schema: Schema | undefined): readonly Schema[] {
  return schema?.oneOf ?? schema?.anyOf ?? [];
}

function suggestion(given: string, known: readonly string[]): string {
  const [nearest] = known
    .map((name) => ({ name, edits: distance(given.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  return nearest && nearest.edits <= Math.max(given.length > 3 ? 2 : 1, given.length / 3)
    ? `; did you mean ${nearest.name}?`
    : "";
}

/** Levenshtein's distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
