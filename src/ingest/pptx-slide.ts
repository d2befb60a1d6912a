import { isSet, referenceOf } from "./ooxml.ts";
import { BulletNumbers } from "./pptx-numbers.ts";
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
  /** Elements of HTML around the text of the run that is open. */
  #look: readonly string[] = [];
  readonly #numbers = new BulletNumbers();

  constructor(embedded: (id: string) => string) {
    this.#embedded = embedded;
  }

  get html(): string {
    const html = (this.#title.trim() === "" ? "" : `<h2>${this.#title}</h2>`) + this.#body;
    return html.replaceAll("</s><s>", "");
  }

  open(name: string, attributes: Attributes): void {
    if (name === "sp") this.#placeholder = "";
    else if (name === "ph") this.#placeholder = attributes.type ?? "body";
    else if (name === "tbl") this.#body += "<table>";
    else if (name === "tr") this.#body += "<tr>";
    else if (name === "tc") this.#openCell(attributes);
    else if (name === "txBody") this.#numbers.begin();
    else if (name === "p") this.#openParagraph();
    else if (name === "pPr") this.#numbers.level(Number(attributes.lvl ?? 0));
    else if (name === "buAutoNum")
      this.#write(this.#numbers.next(attributes.type ?? "", Number(attributes.startAt ?? 1)));
    else if (name === "r" || name === "fld") this.#look = [];
    else if (name === "rPr") this.#look = lookOf(attributes);
    else if (name === "br") this.#write("<br>");
    else if (name === "t") this.#isText = true;
    else if (name === "chart") this.#body += this.#embedded(referenceOf(attributes));
    else if (name === "relIds") this.#body += this.#embedded(referenceOf(attributes, "dm"));
  }

  text(text: string): void {
    if (!this.#isText) return;
    const opened = this.#look.map((element) => `<${element}>`).join("");
    const closed = this.#look.map((element) => `</${element}>`).join("");
    this.#write(opened + escaped(text) + closed);
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

  #openParagraph(): void {
    this.#numbers.paragraph();
    this.#write(this.#isTitle ? " " : "<p>");
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

/** Raised text, and text that is struck out. */
function lookOf({ baseline = "0", strike = "noStrike" }: Attributes): string[] {
  if (strike !== "noStrike") return ["s"];
  return Number(baseline) > 0 ? ["sup"] : [];
}
