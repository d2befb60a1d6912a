import { formatOf, written } from "./xlsx-numbers.ts";
import { escaped, parseXml } from "./xml.ts";

/** Of the table of a chart; a larger one is left out. */
const CELLS_MAX = 10_000;

interface Series {
  readonly name: Map<number, string>;
  readonly categories: Map<number, string>;
  readonly values: Map<number, string>;
}
type Kind = keyof Series;

const KINDS: ReadonlyMap<string, Kind> = new Map([
  ["tx", "name"],
  ["cat", "categories"],
  ["xVal", "categories"],
  ["val", "values"],
  ["yVal", "values"],
]);

/** A chart (DrawingML) as HTML: its titles, then a table of what it shows, one series a column. */
export function chartHtml(xml: Buffer): string {
  const titles: string[] = [];
  const all: Series[] = [];
  let isTitle = false;
  let kind: Kind | null = null;
  let index = 0;
  let code = "";
  let text = "";
  parseXml(xml, {
    open(name, { idx = "0" }) {
      text = "";
      if (name === "title") isTitle = true;
      else if (name === "ser") all.push({ name: new Map(), categories: new Map(), values: new Map() });
      else if (name === "pt") index = Number(idx);
      const opened = KINDS.get(name);
      if (opened && !isTitle) {
        kind = opened;
        code = "";
      }
    },
    text(said) {
      text += said;
    },
    close(name) {
      const isValue = name === "v" || name === "t";
      if (isValue && isTitle) titles.push(text);
      else if (name === "v" && kind) {
        const points = all.at(-1)?.[kind];
        const number = text === "" ? Number.NaN : Number(text);
        if (!points?.has(index))
          points?.set(index, code && Number.isFinite(number) ? written(number, formatOf(code), false) : text);
      } else if (name === "formatCode") code = text;
      if (name === "title") isTitle = false;
      else if (name === "ser" || KINDS.get(name) === kind) kind = null;
      if (isValue) text = "";
    },
  });
  return `<p>${escaped(titles.join(" "))}</p>${tableOf(all)}`;
}

function tableOf(all: readonly Series[]): string {
  const indexes = new Set(all.flatMap(({ values }) => [...values.keys()]));
  if ((all.length + 1) * indexes.size > CELLS_MAX) return "";
  const [first] = all;
  const row = (cells: readonly string[]) => `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`;
  const names = row(["", ...all.map(({ name }) => [...name.values()].join(" "))]);
  const lines = [...indexes]
    .sort((a, b) => a - b)
    .map((index) =>
      row([first?.categories.get(index) ?? String(index + 1), ...all.map(({ values }) => values.get(index) ?? "")]),
    );
  return indexes.size === 0 ? "" : `<table>${names}${lines.join("")}</table>`;
}
