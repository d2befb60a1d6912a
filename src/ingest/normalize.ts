/**
 * Text as it is stored: NFC (macOS writes file names, and some editors Hangul, decomposed), line ends as `\n`, without
 * NUL and without halves of surrogate pairs, neither of which survives every database.
 */
export function normalize(text: string): string {
  return text.toWellFormed().replace(/\r\n?/g, "\n").replaceAll("\0", "").normalize("NFC");
}

/**
 * Soft hyphens, word joiners, byte order marks, colours of a terminal, and spaces of no width, but for scripts in which these part words:
 * nobody sees them, and a word that holds one is not found.
 */
const COLOUR = String.raw`${"\x1b"}\[[\d;?]*[A-Za-z]`;
const NO_WIDTH = String.raw`[\u00ad\u2060\ufeff]|(?<![\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}])\u200b`;
const INVISIBLE = new RegExp(`${COLOUR}|${NO_WIDTH}`, "gu");

export function withoutInvisible(text: string): string {
  return text.replace(INVISIBLE, "");
}

/** White space of any kind as single spaces, none at the ends. */
export function collapse(text: string): string {
  return withoutInvisible(text).replace(/\s+/g, " ").trim();
}
