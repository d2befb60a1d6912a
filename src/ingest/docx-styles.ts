import { isOn } from "./ooxml.ts";
import { attributeOf, parseXml } from "./xml.ts";

/** As Word and Korean producers call them, below the title, which has a style of its own. */
const HEADING = /^(?:heading|제목|개요) ?(\d)$/i;
const TITLE = /^(?:title|제목)$/i;
/** Entries of a table of contents, and its name. */
const CONTENTS = /^(?:toc|목차) ?(?:\d|heading)$/i;
/** What a template says to write. */
const PLACEHOLDER = /^placeholder text$/i;
/** Outline levels of headings end before this one, which is that of text. */
const LEVEL_OF_TEXT = 9;
/** Styles that one rests on. */
const CHAIN_MAX = 20;

/** What a paragraph's number is of. Id 0: it has none. */
export interface NumberReference {
  readonly id?: string;
  readonly level?: number;
}

interface Definition {
  name: string;
  basedOn: string;
  level: number | null;
  number: { id?: string; level?: number };
  isHidden: boolean | null;
  isStruck: boolean | null;
}

/** A style, with what it takes from those that it rests on. */
export interface Style {
  /** Of a heading, 1 the document's title; null: of text. */
  readonly depth: number | null;
  readonly number: NumberReference;
  readonly isHidden: boolean;
  readonly isStruck: boolean;
  /** Its text is not the document's: a table of contents, or what a template says to write. */
  readonly isForeign: boolean;
}

/** Of what has no style. */
export const PLAIN_STYLE: Style = { depth: null, number: {}, isHidden: false, isStruck: false, isForeign: false };

/** Of paragraphs and of runs, by their ids. */
export class Styles {
  readonly #definitions = new Map<string, Definition>();
  readonly #styles = new Map<string, Style>();

  constructor(xml: Buffer | undefined) {
    if (!xml) return;
    let style: Definition | undefined;
    parseXml(xml, {
      open: (name, attributes) => {
        if (name === "style") {
          style = { name: "", basedOn: "", level: null, number: {}, isHidden: null, isStruck: null };
          this.#definitions.set(attributeOf(attributes, "styleId"), style);
        } else if (style) define(style, name, attributeOf(attributes, "val"));
      },
      close(name) {
        if (name === "style") style = undefined;
      },
    });
  }

  get(id: string): Style {
    const known = this.#styles.get(id);
    if (known) return known;
    const style = resolved(this.#chain(id));
    this.#styles.set(id, style);
    return style;
  }

  #chain(id: string): Definition[] {
    const chain: Definition[] = [];
    for (let next = this.#definitions.get(id); next && chain.length < CHAIN_MAX; ) {
      chain.push(next);
      next = this.#definitions.get(next.basedOn);
    }
    return chain;
  }
}

function define(style: Definition, element: string, value: string): void {
  if (element === "name") style.name = value;
  else if (element === "basedOn") style.basedOn = value;
  else if (element === "outlineLvl") style.level = Number(value);
  else if (element === "numId") style.number.id = value;
  else if (element === "ilvl") style.number.level = Number(value);
  else if (element === "vanish") style.isHidden = isOn(value);
  else if (element === "strike" || element === "dstrike") style.isStruck = isOn(value);
}

function resolved(chain: readonly Definition[]): Style {
  const [own] = chain;
  if (!own) return PLAIN_STYLE;
  const first = <T>(of: (style: Definition) => T | null | undefined) => chain.map(of).find((value) => value != null);
  return {
    depth: first(depthOf) || null,
    number: {
      ...definedBy(
        first(({ number }) => number.id),
        "id",
      ),
      ...definedBy(
        first(({ number }) => number.level),
        "level",
      ),
    },
    isHidden: first(({ isHidden }) => isHidden) ?? false,
    isStruck: first(({ isStruck }) => isStruck) ?? false,
    isForeign: CONTENTS.test(own.name) || PLACEHOLDER.test(own.name),
  };
}

function definedBy<K extends string, V>(value: V | undefined, key: K): Partial<Record<K, V>> {
  return value === undefined ? {} : ({ [key]: value } as Partial<Record<K, V>>);
}

/** 0: it is said to be none. */
function depthOf({ name, level }: Definition): number | null {
  if (level !== null) return depthAt(level) ?? 0;
  const [, number] = HEADING.exec(name) ?? [];
  if (number !== undefined) return Number(number) + 1;
  return TITLE.test(name) ? 1 : null;
}

/** Of a heading at this outline level, from 0; null: text. */
export function depthAt(level: number): number | null {
  return level >= 0 && level < LEVEL_OF_TEXT ? level + 2 : null;
}
