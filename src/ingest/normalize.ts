/**
 * Text as it is stored: NFC (macOS writes file names, and some editors Hangul, decomposed), line ends as `\n`, without
 * NUL and without halves of surrogate pairs, neither of which survives every database.
 */
export function normalize(text: string): string {
  return text.toWellFormed().replace(/\r\n?/g, "\n").replaceAll("\0", "").normalize("NFC");
}

/** White space of any kind as single spaces, none at the ends. */
export function collapse(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}
