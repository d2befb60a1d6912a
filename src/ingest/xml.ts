import { RaglineError } from "../errors.ts";
import { Parser } from "./markup.ts";

export type Attributes = Readonly<Record<string, string>>;

export interface XmlEvents {
  open?(name: string, attributes: Attributes): void;
  text?(text: string): void;
  close?(name: string): void;
}

const BYTE_ORDER: Readonly<Record<string, string>> = { fffe: "utf-16le", feff: "utf-16be" };

/** Elements inside one another. Closing one looks through all open ones. */
const DEPTH_MAX = 1_000;

/**
 * Tells of what an XML file has (UTF-8 or UTF-16), however broken. Names of elements come without their prefixes; entities of its own are
 * not expanded.
 * @throws RaglineError `request_invalid` with the bare reason: more than 1,000 elements inside one another
 */
export function parseXml(xml: Buffer, events: XmlEvents): void {
  let depth = 0;
  const parser = new Parser(
    {
      onopentag: (name, attributes) => {
        if (++depth > DEPTH_MAX) {
          throw new RaglineError("request_invalid", `is nested deeper than ${DEPTH_MAX} elements`);
        }
        events.open?.(local(name), attributes);
      },
      ontext: (text) => events.text?.(text),
      onclosetag: (name) => {
        depth--;
        events.close?.(local(name));
      },
    },
    { xmlMode: true, decodeEntities: true },
  );
  parser.end(decoded(xml));
}

function decoded(xml: Buffer): string {
  const encoding = BYTE_ORDER[xml.toString("hex", 0, 2)];
  return encoding === undefined ? xml.toString("utf8") : new TextDecoder(encoding).decode(xml);
}

function local(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}

/** An attribute, however its namespace is called; empty: there is none. */
export function attributeOf(attributes: Attributes, name: string): string {
  const own = attributes[`w:${name}`] ?? attributes[name];
  if (own !== undefined) return own;
  const key = Object.keys(attributes).find((key) => local(key) === name);
  return key === undefined ? "" : (attributes[key] ?? "");
}

/** As HTML's text. */
export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
