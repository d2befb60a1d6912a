import { isSet, referenceOf } from "./ooxml.ts";
import { type Attributes, escaped, parseXml } from "./xml.ts";

const TITLES = new Set(["title", "ctrTitle"]);
/** Placeholders that say the same on every slide. */
const DROPPED = new Set(["ftr", "hdr", "sldNum", "dt", "sldImg"]);
/** For programs that do not know what stands beside it. */
const FALLBACK = "Fallback";

/**
 * The text and tables of what is drawn (DrawingML): a slide, its notes, SmartArt, a sheet's text boxes. As HTML, the title, where there
 * is one, first.
 * @param embedded charts and SmartArt, by the reference's id
 */
export function slideHtml(xml: Buffer, embedded: (id: string) => string = () => ""): string {
  const writer = new SlideWriter(embedded);
  let fallbacks = 0;
  parseXml(xml, {
    open(name, attributes) {
      if (fallbacks > 0 || name === FALLBACK) fallbacks++;
      else writer.open(name, attributes);
    },
    text(text) {
      if (fallbacks === 0) writer.text(text);
    },
    close(name) {
      if (fallbacks > 0) fallbacks--;
      else writer.close(name);
    },
  });
  return writer.html;
}

class SlideWriter {
  readonly #embedded: (id: string) => string;
  #title = "";
  #body = "";
  #placeholder = "";
  #isText = false;
  #isMerged = false;

  constructor(embedded: (id: string) => string) {
    this.#embedded = embedded;
  }

  get html(): string {
    return (this.#title.trim() === "" ? "" : `<h2>${this.#title}</h2>`) + this.#body;
  }

  open(name: string, attributes: Attributes): void {
    if (name === "sp") this.#placeholder = "";
    else if (name === "ph") this.#placeholder = attributes.type ?? "body";
    else if (name === "tbl") this.#body += "<table>";
    else if (name === "tr") this.#body += "<tr>";
    else if (name === "tc") this.#openCell(attributes);
    else if (name === "p") this.#write(this.#isTitle ? " " : "<p>");
    else if (name === "br") this.#write("<br>");
    else if (name === "t") this.#isText = true;
    else if (name === "chart") this.#body += this.#embedded(referenceOf(attributes));
    else if (name === "relIds") this.#body += this.#embedded(referenceOf(attributes, "dm"));
  }

  text(text: string): void {
    if (this.#isText) this.#write(escaped(text));
  }

  close(name: string): void {
    if (name === "sp") this.#placeholder = "";
    else if (name === "tbl") this.#body += "</table>";
    else if (name === "tr") this.#body += "</tr>";
    else if (name === "tc") this.#closeCell();
    else if (name === "p" && !this.#isTitle) this.#write("</p>");
    else if (name === "t") this.#isText = false;
  }

  get #isTitle(): boolean {
    return TITLES.has(this.#placeholder);
  }

  #write(html: string): void {
    if (DROPPED.has(this.#placeholder) || this.#isMerged) return;
    if (this.#isTitle) this.#title += html;
    else this.#body += html;
  }

  #openCell({ gridSpan, rowSpan, hMerge, vMerge }: Attributes): void {
    this.#isMerged = isSet(hMerge) || isSet(vMerge);
    this.#write(`<td colspan="${Number(gridSpan ?? 1)}" rowspan="${Number(rowSpan ?? 1)}">`);
  }

  #closeCell(): void {
    this.#write("</td>");
    this.#isMerged = false;
  }
}
