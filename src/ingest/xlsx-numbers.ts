import { format, getFormatDateInfo, getFormatFromId } from "numfmt";
import { isOn, isShade } from "./ooxml.ts";
import { parseXml } from "./xml.ts";

/** Null: as the number is. */
export type NumberFormat = { readonly code: string; readonly isDate: boolean } | null;

/** Formats that Excel shows as each country has them, by their numbers (ECMA-376, 18.8.30), as a Korean one shows them. */
const BY_COUNTRY: Readonly<Record<number, string>> = {
  ...Object.fromEntries([14, 15, 27, 30, 34, 35, 36, 50, 52, 53, 55, 57].map((id) => [id, "yyyy-mm-dd"])),
  ...Object.fromEntries([16, 28, 29, 51, 54, 56, 58].map((id) => [id, "mm-dd"])),
  17: "yyyy-mm",
  22: "yyyy-mm-dd hh:mm",
  31: 'yyyy"년" m"월" d"일"',
  32: 'h"시" mm"분"',
  33: 'h"시" mm"분" ss"초"',
};
/** Excel takes no longer one. */
const CODE_LENGTH_MAX = 255;
/** Days from 1900 to 1904. */
const DAYS_1904 = 1_462;
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
        else if (name === "xf" && isCell) formats.push(formatOf(codeOf(Number(numFmtId), codes)));
      },
      close(name) {
        if (name === "cellXfs") isCell = false;
      },
    });
  }
  return formats;
}

/** How a style's cells look: what they say struck out, or with a background. */
export interface Look {
  readonly isStruck: boolean;
  readonly isShaded: boolean;
}

/** By a cell's style. */
export function readLooks(xml: Buffer | undefined): Look[] {
  const fonts: boolean[] = [];
  const fills: boolean[] = [];
  const looks: Look[] = [];
  let place = "";
  if (xml) {
    parseXml(xml, {
      open(name, { val = "", fontId = "", fillId = "", rgb = "", theme, tint = "0" }) {
        if (name === "fonts" || name === "fills" || name === "cellXfs") place = name;
        else if (name === "fill" && place === "fills") fills.push(false);
        else if (name === "fgColor" && place === "fills") {
          // The first color of a theme is that of the sheet.
          fills[fills.length - 1] = theme === undefined ? isShade(rgb) : theme !== "0" || Number(tint) !== 0;
        } else if (name === "font" && place === "fonts") fonts.push(false);
        else if (name === "strike" && place === "fonts") fonts[fonts.length - 1] = isOn(val);
        else if (name === "xf" && place === "cellXfs") {
          looks.push({ isStruck: fonts[Number(fontId)] ?? false, isShaded: fills[Number(fillId)] ?? false });
        }
      },
      close(name) {
        if (name === place) place = "";
      },
    });
  }
  return looks;
}

function codeOf(id: number, own: ReadonlyMap<number, string>): string {
  return own.get(id) ?? BY_COUNTRY[id] ?? getFormatFromId(id) ?? "";
}

export function formatOf(said: string): NumberFormat {
  const code = said.replaceAll("G/표준", "General");
  if (/^(?:general|@|)$/i.test(code) || code.length > CODE_LENGTH_MAX) return null;
  try {
    const { year, month, day } = getFormatDateInfo(code);
    return { code, isDate: year || month || day };
  } catch {
    return null;
  }
}

/** As Excel shows it in Korea, or as it is where it has no such form. */
export function written(value: number, shown: NumberFormat, is1904: boolean): string {
  if (!Number.isFinite(value)) return "";
  if (!shown) return rounded(value);
  const { code, isDate } = shown;
  const days = isDate && is1904 ? value + DAYS_1904 : value;
  if (isDate && (days < 0 || days >= DAYS_MAX)) return rounded(value);
  try {
    return format(code, days, { locale: "ko-KR", nbsp: false }).trim();
  } catch {
    return rounded(value);
  }
}

/** As many digits as Excel keeps. */
function rounded(value: number): string {
  return String(Number(value.toPrecision(15)));
}
