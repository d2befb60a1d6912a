import { parseXml } from "./xml.ts";

export type NumberFormat = "plain" | "share" | "date";

/** Numbers of formats that Excel does not write down (ECMA-376, 18.8.30): dates and times, those of East Asia too. */
const DATES: ReadonlyArray<readonly [from: number, to: number]> = [
  [14, 22],
  [27, 36],
  [45, 47],
  [50, 58],
];
const SHARES = new Set([9, 10]);
const DAY_MS = 86_400_000;
/** Days from Excel's beginning to 1970, by either count; the first has a 29th of February 1900. */
const DAYS_1900 = 25_569;
const DAYS_1904 = 24_107;
/** The year 9999. */
const DAYS_MAX = 2_958_466;

/** By a cell's style. */
export function readFormats(xml: Buffer | undefined): NumberFormat[] {
  const codes = new Map<number, string>();
  const formats: NumberFormat[] = [];
  let isCell = false;
  if (xml) {
    parseXml(xml, {
      open(name, { numFmtId = "0", formatCode = "" }) {
        if (name === "numFmt") codes.set(Number(numFmtId), formatCode);
        else if (name === "cellXfs") isCell = true;
        else if (name === "xf" && isCell) formats.push(formatOf(Number(numFmtId), codes.get(Number(numFmtId))));
      },
      close(name) {
        if (name === "cellXfs") isCell = false;
      },
    });
  }
  return formats;
}

function formatOf(id: number, code: string | undefined): NumberFormat {
  if (code === undefined) {
    if (SHARES.has(id)) return "share";
    return DATES.some(([from, to]) => id >= from && id <= to) ? "date" : "plain";
  }
  // Without what stands for itself, colours and languages; `[h]` counts hours.
  const symbols = code.replace(/"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]/gi, "").replace(/general/gi, "");
  if (/[ymdhs]/i.test(symbols)) return "date";
  return symbols.includes("%") ? "share" : "plain";
}

/** As a person would read it: dates as ISO 8601 has them, without what they do not have. */
export function written(value: number, format: NumberFormat, is1904: boolean): string {
  if (!Number.isFinite(value)) return "";
  if (format === "share") return `${rounded(100 * value)}%`;
  if (format === "date" && value >= 0 && value < DAYS_MAX) return dateOf(value, is1904);
  return rounded(value);
}

/** As many digits as Excel keeps. */
function rounded(value: number): string {
  return String(Number(value.toPrecision(15)));
}

function dateOf(days: number, is1904: boolean): string {
  const ms = Math.round((days - (is1904 ? DAYS_1904 : DAYS_1900)) * 86_400) * 1000;
  const [date = "", time = ""] = new Date(ms)
    .toISOString()
    .replace(/(?::00)?\.000Z$/, "")
    .split("T");
  if (days < 1) return time;
  return ms % DAY_MS === 0 ? date : `${date} ${time}`;
}
