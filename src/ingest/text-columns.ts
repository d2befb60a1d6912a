/** How many columns of a screen a text takes. */
export function columnsOf(text: string): number {
  let columns = text.length;
  for (let i = 0; i < text.length; i++) if (isWide(text.charCodeAt(i))) columns++;
  return columns;
}

/** Hangul, Han, kana and full-width forms take two. */
function isWide(unit: number): boolean {
  if (unit < 0x1100) return false;
  return (
    (unit >= 0xac00 && unit <= 0xd7a3) ||
    unit <= 0x115f ||
    (unit >= 0x2e80 && unit <= 0xa4cf) ||
    (unit >= 0xf900 && unit <= 0xfaff) ||
    (unit >= 0xfe30 && unit <= 0xfe6f) ||
    (unit >= 0xff00 && unit <= 0xff60) ||
    (unit >= 0xffe0 && unit <= 0xffe6)
  );
}
