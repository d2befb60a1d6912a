/** Bundled with the package that it comes from. */
import { hex } from "dingbat-to-unicode";

/** Where fonts of symbols have their characters. */
const PRIVATE_USE = /^F0(?=..$)/i;
const SURROGATES = 0xd800;

/** What a character of a font of symbols, by its code in hex digits, is in others; that of another font as it is. */
export function symbol(font: string, code: string): string {
  const known = hex(font, code) ?? hex(font, code.replace(PRIVATE_USE, ""));
  if (known) return known.string;
  const own = Number.parseInt(code, 16);
  return own > 0 && own < SURROGATES ? String.fromCodePoint(own) : "";
}
