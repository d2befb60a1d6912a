/** What a schema says of a value, in the words of who wrote the value. */
export function worded(message: string): string {
  const text = message.replace(/^Invalid input: /, "");
  if (/^expected .*, received undefined$/.test(text)) return "is missing";
  return text === "expected number, received NaN" ? "must be a number" : text;
}
