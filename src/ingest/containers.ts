const FENCE = /^ *(`{3,}|~{3,})/;
/** Docusaurus, VuePress, Pandoc: `:::tip Title`, `:::note[Title]`, `::: {.class}`. */
const COLONS = /^( *):{3,}\s*(?:\{[^{}]*\}|[a-z][\w-]*)?\s*(?:\[(.*)\]|(.*))$/i;
/** PyMdown's blocks: `/// note | Title`. */
const SLASHES = /^( *)\/{3,}\s*(?:[a-z][\w-]*\s*(?:\|\s*(.*))?)?$/i;
/** MkDocs: `!!! note "Title"`, `??? note "Title"`, `=== "Tab"`, each with its text indented below. */
const INDENTED = /^( *)(?:(?:!!!|\?{3}\+?) +[a-z][\w-]*(?: [\w-]+)*(?: +"(.*)")?|={3}[+!]? +"(.*)")\s*$/i;
const INDENT = 4;

/**
 * Markdown whose boxes (notes, tips, tabs), which CommonMark does not know, are paragraphs like any other: without the lines that open and
 * close them, but with their titles. Code stays as it is.
 */
export function openContainers(source: string): string {
  if (!/^ *(?::::|\/\/\/|!!!|\?\?\?|===)/m.test(source)) return source;
  const lines = source.split("\n");
  const out: string[] = [];
  /** Indentation of the text of each open box that is indented, the innermost last. */
  const indents: number[] = [];
  let fence: string | undefined;
  for (const [i, line] of lines.entries()) {
    const isBlank = line.trim() === "";
    const depth = line.length - line.trimStart().length;
    while (!isBlank && depth < (indents.at(-1) ?? 0)) indents.pop();
    const text = line.slice(Math.min(depth, indents.at(-1) ?? 0));
    const mark = FENCE.exec(text)?.[1];
    if (fence !== undefined) {
      if (mark?.startsWith(fence) && text.trim() === mark) fence = undefined;
      out.push(text);
      continue;
    }
    fence = mark;
    const indented = INDENTED.exec(text);
    const box = indented && hasIndented(lines, i, depth + INDENT) ? indented : null;
    if (box) indents.push(depth + INDENT);
    const edge = box ?? COLONS.exec(text) ?? SLASHES.exec(text);
    if (edge) out.push("", `${edge[1]}${edge[2] ?? edge[3] ?? ""}`, "");
    else out.push(text);
  }
  return out.join("\n");
}

/** Whether the next line that is not blank stands as far to the right. */
function hasIndented(lines: readonly string[], from: number, indent: number): boolean {
  for (let i = from + 1; i < lines.length; i++) {
    const line = lines[i] ?? "";
    if (line.trim() !== "") return line.length - line.trimStart().length >= indent;
  }
  return false;
}
