import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parse as parseYaml } from "yaml";
import type { z } from "zod";
import { OPENAI_URL } from "./config/models.ts";
import { configProblems, valueAt } from "./config/problems.ts";
import { type Config, configSchema } from "./config/schema.ts";
import { RaglineError } from "./errors.ts";
import { decodeUtf8 } from "./utf8.ts";

export { type Config, type ConfigInput, configSchema } from "./config/schema.ts";

const DEFAULT_USE: Readonly<Record<string, string>> = {
  session: "sqlite",
  rewrite: "model",
  cache: "sqlite",
  embed: "static",
  search: "sqlite",
  rerank: "lexical",
};

type Environment = Readonly<Record<string, string | undefined>>;

/** Of a configuration whose variables have their values: a secret may read like a variable itself. Copies by spreading keep it. */
const SUBSTITUTED = Symbol("substituted");

/**
 * Checks a configuration and fills in the defaults; one that it returned may be changed and checked again. With `OPENAI_BASE_URL`
 * or `OPENAI_API_KEY` in the environment the answers come from there, unless `generate.use` says otherwise; `OPENAI_MODEL` names
 * the model.
 * @throws RaglineError `config_invalid` with every problem, one a line, with its path.
 */
export function parseConfig(input: unknown = {}, environment: Environment = process.env): Config {
  const unread: Unread[] = [];
  const isSubstituted = typeof input === "object" && input !== null && SUBSTITUTED in input;
  const raw = isSubstituted ? input : substitute(input ?? {}, environment, "", unread);
  const problems = unread.map(({ path, problem }) => `${path}: ${problem}`);
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
    throw invalid([...problems, "the configuration must be a mapping of keys to values"]);
  }
  let filled = withDefaults(raw as Record<string, unknown>, environment);
  let result = configSchema.safeParse(filled);
  if (!result.success) {
    filled = valuesFromText(filled, result.error.issues);
    result = configSchema.safeParse(filled);
  }
  const issues = result.error?.issues.filter((issue) => !unread.some(({ path }) => isOf(issue, path))) ?? [];
  problems.push(...configProblems(filled, issues));
  if (result.success && problems.length === 0) return Object.assign(result.data, { [SUBSTITUTED]: true });
  throw invalid(problems);
}

/** A value that YAML takes for the start of a mapping, after what may stand within one. */
const UNQUOTED_VARIABLE = /[{,[]\s*[^\s"'{},]*:?\s*\$\{/;

/**
 * Reads `ragline.yaml` from the working folder, the path given, or the one in `RAGLINE_CONFIG`; none of them: the defaults.
 * @throws RaglineError `config_invalid`: a named file is missing, cannot be read, is not YAML in UTF-8, or breaks a rule.
 */
export function loadConfig(path?: string, environment: Environment = process.env): Config {
  const named = path ?? environment.RAGLINE_CONFIG;
  const file = resolve(named ?? "ragline.yaml");
  if (!existsSync(file)) {
    if (named) throw new RaglineError("config_invalid", `${named}: no such configuration file`);
    return parseConfig({}, environment);
  }
  try {
    return parseConfig(readYaml(file), environment);
  } catch (thrown) {
    if (!(thrown instanceof RaglineError)) throw thrown;
    const lines = thrown.message.split("\n").map((line) => `${named ?? "ragline.yaml"}: ${line}`);
    throw invalid(lines);
  }
}

function readYaml(file: string): unknown {
  const text = readText(file, "");
  try {
    return withoutCycles(parseYaml(text, { prettyErrors: true }));
  } catch (cause) {
    const reason = (cause as Error).message.split("\n")[0]?.replace(/:$/, "");
    const hint = UNQUOTED_VARIABLE.test(text) ? '; within { } write a variable in quotes: "${NAME}"' : "";
    throw new RaglineError("config_invalid", `not readable as YAML: ${reason}${hint}`, { cause });
  }
}

function withoutCycles(raw: unknown): unknown {
  try {
    JSON.stringify(raw);
    return raw;
  } catch {
    throw new Error("an alias (*…) stands within what it names");
  }
}

/** @throws RaglineError `config_invalid`, whose message begins with `what`: it cannot be read, or is not UTF-8. */
function readText(file: string, what: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new RaglineError("config_invalid", `${what}cannot be read (${code})`, { cause });
  }
  const text = decodeUtf8(bytes);
  if (text === null) throw new RaglineError("config_invalid", `${what}is not UTF-8`);
  return text;
}

function withDefaults(raw: Record<string, unknown>, environment: Environment): Record<string, unknown> {
  const filled: Record<string, unknown> = { ...raw };
  for (const key of Object.keys(configSchema.shape)) {
    if (key === "tenant" || key === "collection") continue;
    const block = filled[key] ?? {};
    if (typeof block !== "object" || Array.isArray(block)) continue;
    const use = DEFAULT_USE[key];
    filled[key] = use ? { use, ...block } : block;
  }
  for (const key of ["session", "cache"]) {
    const file = (filled.search as { readonly file?: unknown }).file;
    const block = filled[key] as Record<string, unknown>;
    if (file !== undefined && block.use === "sqlite" && block.file === undefined) filled[key] = { ...block, file };
  }
  filled.generate = withGenerateDefaults(filled.generate, environment);
  filled.models = withHubDefaults(filled.models, environment);
  filled.telemetry = withCollectorDefaults(filled.telemetry, environment);
  return filled;
}

/** As the hub's own clients read the environment. */
function withHubDefaults(block: unknown, environment: Environment): unknown {
  if (typeof block !== "object" || block === null) return block;
  const { HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME, HF_ENDPOINT: endpoint, HF_TOKEN: token } = environment;
  const home = HF_HOME || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface");
  const cacheFolder = HF_HUB_CACHE || join(home, "hub");
  return { cacheFolder, ...(endpoint && { endpoint }), ...(token && { token }), ...block };
}

/** As OpenTelemetry's exporters read the environment. */
function withCollectorDefaults(block: unknown, environment: Environment): unknown {
  if (typeof block !== "object" || block === null) return block;
  const endpoint = environment.OTEL_EXPORTER_OTLP_ENDPOINT;
  const protocol = environment.OTEL_EXPORTER_OTLP_PROTOCOL;
  const serviceName = environment.OTEL_SERVICE_NAME;
  return {
    ...(endpoint && { endpoint }),
    ...(protocol && { protocol }),
    ...(serviceName && { serviceName }),
    ...block,
  };
}

/** A key goes to nobody else than to whom the environment gives it for. */
function withGenerateDefaults(block: unknown, environment: Environment): unknown {
  if (typeof block !== "object" || block === null) return block;
  const baseUrl = environment.OPENAI_BASE_URL;
  const key = environment.OPENAI_API_KEY;
  const model = environment.OPENAI_MODEL;
  const use = "use" in block ? block.use : baseUrl || key ? "openai" : "extractive";
  const own = "baseUrl" in block ? [block.baseUrl].flat() : [];
  if (use !== "openai" || own.some((url) => !isSameServer(url, baseUrl || OPENAI_URL))) return { use, ...block };
  return { use, ...(baseUrl && { baseUrl }), ...(key && { apiKey: key }), ...(model && { model }), ...block };
}

function isSameServer(url: unknown, other: string): boolean {
  return URL.parse(String(url))?.origin === URL.parse(other)?.origin;
}

/** With what texts say where a number, or true or false, is due: an environment variable's value is a text. */
function valuesFromText(filled: Record<string, unknown>, issues: readonly z.core.$ZodIssue[]): Record<string, unknown> {
  return issues.reduce((read, issue) => {
    const value = issue.code === "invalid_type" ? valueOfText(valueAt(read, issue.path), issue.expected) : undefined;
    return value === undefined ? read : (withValue(read, issue.path, value) as Record<string, unknown>);
  }, filled);
}

/** Undefined: the text says no such value. */
function valueOfText(text: unknown, expected: string): number | boolean | undefined {
  if (typeof text !== "string") return undefined;
  if (expected === "boolean") return text === "true" || (text === "false" ? false : undefined);
  return /^-?\d+(\.\d+)?$/.test(text) && (expected === "number" || expected === "int") ? Number(text) : undefined;
}

function withValue(target: unknown, [key, ...rest]: readonly PropertyKey[], value: unknown): unknown {
  if (key === undefined) return value;
  const copy = Array.isArray(target) ? [...target] : { ...(target as object) };
  return Object.assign(copy, { [key]: withValue(valueAt(target, [key]), rest, value) });
}

/** A value that stands nowhere yet: its variable is not set, or its file cannot be read. */
interface Unread {
  readonly path: string;
  readonly problem: string;
}

/** Whether what is wrong is that the value at `place` could not be read. */
function isOf({ code, path }: z.core.$ZodIssue, place: string): boolean {
  const at = path.join(".");
  return at === place || at.startsWith(`${place}.`) || (code === "invalid_union" && place.startsWith(`${at}.`));
}

const VARIABLE = /\$\{(?:file:(?!-)(?<file>[^}]+)|(?<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?<fallback>[^}]*))?)\}/g;

/**
 * Replaces `${NAME}` and `${NAME:-fallback}` in every string, and `${file:PATH}` by a file's text without the line end at its end. A name
 * that is not set, or a file that cannot be read, is a problem.
 */
function substitute(value: unknown, environment: Environment, path: string, unread: Unread[]): unknown {
  if (typeof value === "string") {
    return value.replace(VARIABLE, (...match) => {
      const { file, name = "", fallback } = match.at(-1) as Partial<Record<"file" | "name" | "fallback", string>>;
      if (file !== undefined) return textOf(file, path, unread);
      const found = environment[name] ?? fallback;
      if (found === undefined) unread.push({ path, problem: `the environment variable ${name} is not set` });
      return found ?? "";
    });
  }
  if (Array.isArray(value)) {
    return value.map((item, index) => substitute(item, environment, `${path}.${index}`, unread));
  }
  // A model object of the AI SDK is what it is.
  if (typeof value === "object" && value !== null && !("specificationVersion" in value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        key,
        substitute(item, environment, path ? `${path}.${key}` : key, unread),
      ]),
    );
  }
  return value;
}

function textOf(file: string, path: string, unread: Unread[]): string {
  try {
    return readText(file, `the file ${file} `).replace(/\r?\n$/, "");
  } catch (thrown) {
    unread.push({ path, problem: (thrown as RaglineError).message });
    return "";
  }
}

function invalid(problems: readonly string[]): RaglineError {
  return new RaglineError("config_invalid", problems.join("\n"));
}
