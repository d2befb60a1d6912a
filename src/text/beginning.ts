/** At most so many UTF-16 units of a text, without half of a character at the cut. */
export function beginning(text: string, unitsMax: number): string {
  return text.length <= unitsMax ? text : text.slice(0, unitsMax).replace(/[\ud800-\udbff]$/, "");
}
