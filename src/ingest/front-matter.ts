import { parse as parseToml, TomlDate, TomlError } from "smol-toml";
import { LineCounter, parseDocument } from "yaml";
import { RaglineError } from "../errors.ts";

const LENGTH_MAX = 65_536;

/** An opening line of three dashes, YAML, and a closing line of three dashes or dots; or TOML between lines of three pluses. */
const FORMS = [
  { mark: "---", text: /^---[^\S\n]*\n([\s\S]*?)^(?:---|\.\.\.)[^\S\n]*(?:\n|$)/m, parse: readYaml },
  { mark: "+++", text: /^\+\+\+[^\S\n]*\n([\s\S]*?)^\+\+\+[^\S\n]*(?:\n|$)/m, parse: readToml },
];

/**
 * What a Markdown document says of itself before its text. What is no mapping is text.
 * @throws RaglineError `request_invalid`: it is not valid YAML or TOML.
 */
export function splitFrontMatter(source: string): { readonly fields: Record<string, unknown>; readonly body: string } {
  const { found, parse } = matched(source) ?? {};
  if (!found || !parse) return { fields: {}, body: source };
  const fields = parse(found[1] ?? "");
  const body = source.slice(found[0].length);
  if (fields === null) return { fields: {}, body };
  return isRecord(fields) ? { fields, body } : { fields: {}, body: source };
}

/** How much stands before the text, in UTF-16 units. */
export function frontMatterLength(source: string): number {
  return matched(source)?.found[1]?.length ?? 0;
}

function matched(source: string) {
  const form = FORMS.find(({ mark }) => source.startsWith(mark));
  const found = form?.text.exec(source.slice(0, LENGTH_MAX));
  return form && found?.index === 0 ? { found, parse: form.parse } : null;
}

/** The place of the first fault is looked up here: the parser's `prettyErrors` do it for all of them, which there may be thousands of. */
function readYaml(source: string): unknown {
  try {
    const lineCounter = new LineCounter();
    const document = parseDocument(source, { logLevel: "error", prettyErrors: false, lineCounter });
    const [error] = document.errors;
    if (error === undefined) return document.toJS();
    const { line, col } = lineCounter.linePos(error.pos[0]);
    throw invalid("YAML", `${error.message} at line ${line}, column ${col}`, error);
  } catch (thrown) {
    throw thrown instanceof RaglineError ? thrown : invalid("YAML", "nested too deeply", thrown);
  }
}

/** Dates as they are written, as in YAML. */
function readToml(source: string): unknown {
  try {
    return withTextDates(parseToml(source));
  } catch (thrown) {
    if (!(thrown instanceof TomlError)) throw invalid("TOML", "nested too deeply", thrown);
    const [reason = ""] = thrown.message.split("\n");
    const detail = reason.replace(/^Invalid TOML document: /, "");
    throw invalid("TOML", `${detail} at line ${thrown.line}, column ${thrown.column}`, thrown);
  }
}

function withTextDates(value: unknown): unknown {
  if (value instanceof TomlDate) return value.toISOString();
  if (Array.isArray(value)) return value.map(withTextDates);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withTextDates(one)]));
}

function invalid(form: string, detail: string, cause: unknown): RaglineError {
  return new RaglineError("request_invalid", `has front matter that is not valid ${form}: ${detail}`, { cause });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
