import type { MetadataValue } from "../../types.ts";

type Scalar = string | number | boolean;

/** Ends a field's name; no name holds it. */
const END = "\u0000";
/** Sorts, in UTF-8, behind everything else. */
const HIGHEST = "\u{10FFFF}";

/**
 * One value of a metadata field as a string that an engine can hold in one keyword field for all: equal exactly where the
 * values are, and ordered, byte by byte in UTF-8, as they are: numbers by size, strings by UTF-16 code units.
 */
export function sortableValue(field: string, value: Scalar): string {
  return `${prefixOf(field, value)}${typeof value === "string" ? sortableString(value) : typeof value === "number" ? sortableNumber(value) : value}`;
}

/** All values of a document's metadata. */
export function sortableValues(metadata: Readonly<Record<string, MetadataValue>>): string[] {
  return Object.entries(metadata).flatMap(([field, value]) => {
    const values: readonly Scalar[] = typeof value === "object" ? value : [value];
    return values.map((one) => sortableValue(field, one));
  });
}

/** Below and above every value of the field that is of the bound's type. */
export function sortableLimits(field: string, bound: string | number): readonly [least: string, most: string] {
  const prefix = prefixOf(field, bound);
  return [prefix, `${prefix}${HIGHEST}${HIGHEST}`];
}

function prefixOf(field: string, value: Scalar): string {
  const type = typeof value === "string" ? "s" : typeof value === "number" ? "n" : "b";
  return `${field}${END}${type}`;
}

/** The bits of the double, as sixteen hexadecimal digits: negative ones turned round, positive ones above them. */
function sortableNumber(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  // −0 equals 0.
  view.setFloat64(0, value + 0);
  const [high, low] = [view.getUint32(0), view.getUint32(4)];
  return high >= SIGN ? hex(~high) + hex(~low) : hex(high | SIGN) + hex(low);
}

/** Of the upper half of a double's bits. */
const SIGN = 0x8000_0000;

function hex(bits: number): string {
  return (bits >>> 0).toString(16).padStart(8, "0");
}

/**
 * By code units U+E000 to U+FFFF come after all pairs of surrogates, in UTF-8 before: they get a mark that sorts highest. What
 * stands for the mark itself sorts below all that it marks.
 */
function sortableString(text: string): string {
  return text.replace(/[\uE000-\uFFFF]|\u{10FFFF}/gu, (one) => (one === HIGHEST ? `${HIGHEST}${END}` : HIGHEST + one));
}
