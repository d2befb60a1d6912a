const NUMBERS = /\[(?=([\d\s,;–-]+)\])/g;

/**
 * A text that is quoted, so that none of its own brackets reads as the citation of one of so many passages: with five of them `[2]`
 * becomes `[ 2]`, `items[1]` `items[ 1]`, and `[2021]` stays.
 */
export function unlikeCitations(text: string, passages: number): string {
  const isCitation = (number: string) => Number(number) >= 1 && Number(number) <= passages;
  return text.replace(NUMBERS, (bracket, numbers: string) =>
    numbers.match(/\d+/g)?.some(isCitation) ? `${bracket} ` : bracket,
  );
}
