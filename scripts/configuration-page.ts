import { z } from "zod";
import { configSchema } from "../src/config.ts";

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly multipleOf?: number;
  readonly format?: string;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
}

const INTRODUCTION = `# Configuration

Generated from the schema in \`src/config.ts\` by \`npm run docs\`; do not edit.

Ragline reads \`ragline.yaml\` in the working folder, the file given with \`--config\`, or the one named by
\`RAGLINE_CONFIG\`. Every key has a default, so that no file is needed. The blocks carry the names of the pipeline's steps; \`use\`
chooses the implementation. \`\${NAME}\` in a value reads an environment variable, \`\${NAME:-fallback}\` with a fallback,
\`\${file:PATH}\` a file, without the line end at its end, as a secret that is mounted. Where a number, \`true\` or \`false\` is due, such a text is taken for it. A key that does not exist, or a value out of its range, stops the start with every problem listed (exit code 2).

With \`OPENAI_BASE_URL\` or \`OPENAI_API_KEY\` in the environment and no \`generate.use\`, answers come from there;
\`OPENAI_MODEL\` names the model. With \`generate.use: openai\`, too, what the block leaves out is taken from these three, unless its
\`baseUrl\` names another server: a key goes to nobody else than to whom it was given for.

\`\`\`yaml
generate: { use: openai, baseUrl: "http://vllm:8000/v1", model: qwen3-8b, contextTokensMax: 32768 }
rerank:   { use: tei, baseUrl: "http://reranker:8080", timeoutMs: 800 }
server:   { port: 8787, timeoutMs: 30000 }
\`\`\`
`;

/** The configuration's reference as Markdown. */
export function configurationPage(): string {
  const schema = z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" }) as Schema;
  const blocks = Object.entries(schema.properties ?? {});
  const inner = new Map(blocks.flatMap(([, block]) => [block, ...variantsOf(block)]).flatMap(blocksWithin));
  const sections = [...blocks, ...inner].map(([key, block]) => section(key, block));
  return `${INTRODUCTION}\n${sections.join("\n")}`;
}

function variantsOf(block: Schema): readonly Schema[] {
  return block.oneOf ?? block.anyOf ?? [block];
}

/** Blocks within a block, and in a list, have a section of their own, once. */
function blocksWithin({ properties = {} }: Schema): (readonly [string, Schema])[] {
  return Object.entries(properties).flatMap(([key, schema]) => {
    const block = schema.properties ? schema : schema.items;
    return block?.properties ? [[key, block] as const] : [];
  });
}

function section(key: string, block: Schema): string {
  if (!block.oneOf && !block.anyOf && !block.properties) return `## ${key}\n\n${table([[key, block]])}`;
  return `## ${key}\n\n${variantsOf(block).map(variant).join("\n")}`;
}

function variant(schema: Schema): string {
  const { use, ...rest } = schema.properties ?? {};
  const lead = use?.description ? `\`use: ${use.const}\`: ${use.description.replace(/^`[^`]*`: /, "")}\n\n` : "";
  const rows = Object.entries(rest);
  return rows.length > 0 ? `${lead}${table(rows)}` : lead;
}

function table(rows: readonly (readonly [string, Schema])[]): string {
  const lines = rows.map(([key, schema]) => {
    const kind = schema.properties ? "block" : schema.items?.properties && "list of blocks";
    if (kind) return `| \`${key}\` | ${kind} | | ${schema.description ?? ""} See [${key}](#${key.toLowerCase()}). |`;
    const value = schema.default === undefined ? "" : `\`${JSON.stringify(schema.default)}\``;
    return `| \`${key}\` | ${limits(schema)} | ${value} | ${schema.description ?? ""} |`;
  });
  return `| key | value | default | meaning |\n|---|---|---|---|\n${lines.join("\n")}\n`;
}

function limits(schema: Schema): string {
  const choices = schema.enum ?? (schema.const === undefined ? null : [schema.const]);
  if (choices) return choices.map((choice) => `\`${choice}\``).join(", ");
  if (schema.anyOf?.some((one) => one.format === "uri")) return "http(s) URL, or a list of them";
  if (schema.anyOf && !schema.type) return choicesOf(schema.anyOf);
  const { type, minimum, maximum, maxLength, multipleOf, format } = schema;
  if (type === "integer" || type === "number") {
    const high = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? "" : ` to ${maximum}`;
    const step = multipleOf ? `, a multiple of ${multipleOf}` : "";
    return `${type === "number" ? "number" : "whole number"}, ${minimum ?? 0}${high || " or more"}${step}`;
  }
  if (type === "null") return "`null`";
  if (type === "array") return `list: ${schema.items ? limits(schema.items) : "anything"}`;
  if (type === undefined || type === "object") return "object";
  if (type === "boolean") return "`true`, `false`";
  if (format === "uri") return "http(s) URL";
  return maxLength ? `text, up to ${maxLength} characters` : "text";
}

function choicesOf(schemas: readonly Schema[]): string {
  return [...new Set(schemas.map(limits))].join(" or ");
}
