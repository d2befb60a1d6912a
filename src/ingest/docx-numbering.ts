import type { NumberReference } from "./docx-styles.ts";
import { type Level, Numbering } from "./numbering.ts";
import { isOn } from "./ooxml.ts";
import { attributeOf, parseXml } from "./xml.ts";

/** What marks an entry of a list that is not numbered, whichever sign its font shows. */
export const BULLET = "- ";
const NO_NUMBER = "0";
const LEVELS_MAX = 9;
const NUMBER_OF_LEVEL = /%([1-9])/;

interface WordLevel extends Level {
  readonly style: string;
  readonly suffix: string;
}

const NO_LEVEL: WordLevel = { format: "none", start: 1, parts: [], style: "", suffix: "" };

/** As it is read. */
interface Draft {
  format: string;
  start: number;
  text: string;
  restart: number | undefined;
  isDigits: boolean;
  style: string;
  suffix: string;
}

interface Series {
  readonly levels: readonly WordLevel[];
  readonly numbering: Numbering;
}

interface Instance {
  abstract: string;
  readonly starts: Map<number, number>;
  readonly levels: Map<number, WordLevel>;
}

export interface Label {
  /** Empty: the paragraph shows none. */
  readonly text: string;
  readonly level: number;
}

/** The numbers that Word makes itself. */
export class WordNumbering {
  readonly #abstracts = new Map<string, Map<number, WordLevel>>();
  /** Series that have a style of lists, and those that are taken from one. */
  readonly #styled = new Map<string, string>();
  readonly #links = new Map<string, string>();
  readonly #instances = new Map<string, Instance>();
  readonly #series = new Map<string, Series>();
  readonly #counted = new Map<string, Numbering>();
  /** Of levels that are of a style of paragraphs. */
  readonly #byStyle = new Map<string, NumberReference>();

  constructor(xml: Buffer | undefined) {
    if (xml) this.#read(xml);
    for (const [id, { abstract }] of this.#instances) {
      for (const [level, { style }] of this.#abstracts.get(this.#linked(abstract)) ?? []) {
        if (style !== "" && !this.#byStyle.has(style)) this.#byStyle.set(style, { id, level });
      }
    }
  }

  /** What stands before the next paragraph, which has this style; null: none. */
  next({ id, level }: NumberReference, style: string): Label | null {
    const ofStyle = this.#byStyle.get(style);
    const series = id === NO_NUMBER ? undefined : this.#seriesOf(id ?? ofStyle?.id ?? NO_NUMBER);
    if (!series) return null;
    const at = level ?? ofStyle?.level ?? 0;
    const found = series.levels[at];
    if (!found) return null;
    const number = series.numbering.next(series.levels, at);
    if (found.format === "bullet") return { text: BULLET, level: at };
    const text = found.format === "none" ? found.parts.filter((part) => typeof part === "string").join("") : number;
    return { text: text.trim() === "" ? "" : text + found.suffix, level: at };
  }

  #seriesOf(id: string): Series | undefined {
    const known = this.#series.get(id);
    const instance = this.#instances.get(id);
    if (known || !instance) return known;
    const abstract = this.#linked(instance.abstract);
    const numbering = this.#counted.get(abstract) ?? new Numbering();
    this.#counted.set(abstract, numbering);
    const levels = Array.from(
      { length: LEVELS_MAX },
      (_, at) => instance.levels.get(at) ?? this.#abstracts.get(abstract)?.get(at) ?? NO_LEVEL,
    );
    for (const [at, start] of instance.starts) numbering.restart(at, start);
    const series = { levels, numbering };
    this.#series.set(id, series);
    return series;
  }

  #linked(abstract: string): string {
    return this.#styled.get(this.#links.get(abstract) ?? "") ?? abstract;
  }

  #read(xml: Buffer): void {
    let abstract = "";
    let instance: Instance | undefined;
    let at = 0;
    let level: Draft | undefined;
    parseXml(xml, {
      open: (name, attributes) => {
        const value = attributeOf(attributes, "val");
        if (name === "abstractNum") {
          abstract = attributeOf(attributes, "abstractNumId");
          this.#abstracts.set(abstract, new Map());
        } else if (name === "styleLink") this.#styled.set(value, abstract);
        else if (name === "numStyleLink") this.#links.set(abstract, value);
        else if (name === "num") {
          instance = { abstract: "", starts: new Map(), levels: new Map() };
          this.#instances.set(attributeOf(attributes, "numId"), instance);
        } else if (name === "abstractNumId" && instance) instance.abstract = value;
        else if (name === "lvlOverride") at = Number(attributeOf(attributes, "ilvl"));
        else if (name === "startOverride") instance?.starts.set(at, Number(value) || 0);
        else if (name === "lvl") {
          at = Number(attributeOf(attributes, "ilvl"));
          level = {
            format: "decimal",
            start: 0,
            text: "",
            restart: undefined,
            isDigits: false,
            style: "",
            suffix: " ",
          };
        } else if (level) readLevel(level, name, value);
      },
      close: (name) => {
        if (name === "num") instance = undefined;
        if (name !== "lvl" || !level) return;
        const levels = instance?.levels ?? this.#abstracts.get(abstract);
        levels?.set(at, levelOf(level));
        level = undefined;
      },
    });
  }
}

function readLevel(level: Draft, name: string, value: string): void {
  if (name === "start") level.start = Number(value) || 0;
  else if (name === "numFmt") level.format = value;
  else if (name === "lvlText") level.text = value;
  else if (name === "lvlRestart") level.restart = Number(value);
  else if (name === "isLgl") level.isDigits = isOn(value);
  else if (name === "pStyle") level.style = value;
  else if (name === "suff") level.suffix = value === "nothing" ? "" : " ";
}

function levelOf({ text, restart, ...level }: Draft): WordLevel {
  const parts = text.split(NUMBER_OF_LEVEL).map((part, i) => (i % 2 === 1 ? Number(part) - 1 : part));
  return { ...level, parts, ...(restart !== undefined && { restart: restart === 0 ? null : restart - 1 }) };
}
