import { type Level, Numbering } from "./numbering.ts";
import { parseXml } from "./xml.ts";

/** Numbers of levels in what stands before a paragraph: `^1`, and `^n` and `^N` for all down to its own. */
const NUMBER_OF_LEVEL = /\^([1-9nN])/;
const BULLET = "- ";
/** A paragraph may be of an outline, which its section numbers, of a series of numbers, or an entry of a list. */
const OUTLINE = "OUTLINE";
const SERIES = "NUMBER";
const ENTRY = "BULLET";

interface Head {
  readonly type: string;
  readonly id: string;
  /** From 0. */
  readonly level: number;
}

/** The numbers that Hancom makes itself, of a whole document. */
export class HancomNumbering {
  /** By the id of their numbering. */
  readonly #levels = new Map<string, Level[]>();
  /** By the id of a paragraph's properties. */
  readonly #heads = new Map<string, Head>();
  readonly #counted = new Map<string, Numbering>();
  #outline = "";

  /** @param header the part of the document that its properties are in */
  constructor(header: Buffer | undefined) {
    if (header) this.#read(header);
  }

  /** A section begins, whose outline has this numbering. */
  beginSection(outline: string): void {
    this.#outline = outline;
  }

  /** What stands before the next paragraph, which has these properties. */
  next(properties: string): string {
    const { type = "", id = "", level = 0 } = this.#heads.get(properties) ?? {};
    if (type === ENTRY) return BULLET;
    if (type !== OUTLINE && type !== SERIES) return "";
    const series = type === OUTLINE ? this.#outline : id;
    const levels = this.#levels.get(series);
    if (!levels) return "";
    const key = `${type} ${series}`;
    const numbering = this.#counted.get(key) ?? new Numbering();
    this.#counted.set(key, numbering);
    const number = numbering.next(levels, level).trim();
    return number === "" ? "" : `${number} `;
  }

  #read(header: Buffer): void {
    let levels: Level[] = [];
    let properties = "";
    let head: { at: number; format: string; start: number; text: string } | undefined;
    parseXml(header, {
      open: (name, { id = "", type = "", idRef = "", level = "0", numFormat = "DIGIT", start = "1" }) => {
        if (name === "numbering") {
          levels = [];
          this.#levels.set(id, levels);
        } else if (name === "paraHead") {
          head = { at: Number(level) - 1, format: numFormat, start: Number(start) || 0, text: "" };
        } else if (name === "paraPr") properties = id;
        else if (name === "heading") this.#heads.set(properties, { type, id: idRef, level: Number(level) || 0 });
      },
      text(text) {
        if (head) head.text += text;
      },
      close(name) {
        if (name !== "paraHead" || !head) return;
        // Levels come in their order.
        if (head.at === levels.length) levels.push({ ...head, parts: partsOf(head.text, head.at) });
        head = undefined;
      },
    });
  }
}

function partsOf(text: string, at: number): (string | number)[] {
  return text.split(NUMBER_OF_LEVEL).flatMap((part, i) => {
    if (i % 2 === 0) return part;
    if (part !== "n" && part !== "N") return Number(part) - 1;
    const all = Array.from({ length: at + 1 }, (_, above) => (above === 0 ? [above] : [".", above])).flat();
    return part === "N" ? [...all, "."] : all;
  });
}
