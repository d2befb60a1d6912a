const INSTEAD = "\u{fffd}";

/** Text of others for a terminal: without what would be a command to it. Lines and tabs stay. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (control) => (control === "\n" || control === "\t" ? control : INSTEAD));
}

/** The same on one line. */
export function printableLine(text: string): string {
  return printable(text).replace(/[\n\t\u2028\u2029]/g, " ");
}
