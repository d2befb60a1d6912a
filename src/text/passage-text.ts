/** The parts of a passage that can be searched for. */
export interface PassageParts {
  readonly title: string;
  readonly headings: readonly string[];
  readonly text: string;
}

/** What stands above a passage's words, also where they begin with it. */
export function headingText({ title, headings }: Pick<PassageParts, "title" | "headings">): string {
  return [title, ...headings].join("\n");
}

/**
 * A passage as one text: title, headings, then its words. A title or heading that the text already starts with is not
 * doubled. What search, fusion, reranking and embedding all see.
 */
export function passageText({ title, headings, text }: PassageParts): string {
  const above = [title, ...headings].filter((part) => part !== "" && !text.startsWith(part));
  return [...above, text].join("\n");
}
