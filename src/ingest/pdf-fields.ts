import type { Fragment } from "./pdf-layout.ts";
import { type Turn, turned } from "./pdf-turn.ts";

/** What stands on a page beside its text, as the parser gives it. */
interface Annotation {
  readonly subtype?: string;
  readonly rect: readonly number[];
  readonly hidden?: boolean;
  readonly checkBox?: boolean;
  readonly radioButton?: boolean;
  readonly pushButton?: boolean;
  readonly password?: boolean;
  readonly fieldValue?: unknown;
  readonly exportValue?: unknown;
  readonly buttonValue?: unknown;
  readonly contentsObj?: { readonly str?: string };
}

/** In points. */
const SIZE_MAX = 10;
const WIDTH_OF_SIZE = 0.6;

/** What was filled in the form on a page, and typed on it, where it stands. */
export async function fieldsOf(page: { getAnnotations(): Promise<unknown[]> }, turn: Turn): Promise<Fragment[]> {
  const annotations = (await page.getAnnotations().catch(() => [])) as Annotation[];
  return annotations.flatMap((annotation) => {
    const said = annotation.hidden ? "" : saidBy(annotation);
    const [left = 0, bottom = 0, right = 0, top = 0] = annotation.rect;
    const [x1, y1] = turned(left, bottom, turn);
    const [x2, y2] = turned(right, top, turn);
    const height = Math.abs(y2 - y1);
    const lines = said.split(/\r\n?|\n/);
    const size = Math.min(SIZE_MAX, height / lines.length);
    const first = Math.max(y1, y2) - (height - size * (lines.length - 1) * 1.2) / 2 - size / 3;
    return lines.flatMap((text, i) => {
      if (text.trim() === "" || size <= 0) return [];
      const width = Math.min(Math.abs(x2 - x1), text.length * size * WIDTH_OF_SIZE);
      return { text, x: Math.min(x1, x2), y: first - i * size * 1.2, width, size, isField: true };
    });
  });
}

function saidBy({ subtype, fieldValue, ...field }: Annotation): string {
  if (subtype === "FreeText") return field.contentsObj?.str ?? "";
  if (subtype !== "Widget" || field.pushButton || field.password) return "";
  if (field.checkBox) return fieldValue === field.exportValue ? "☑" : "☐";
  if (field.radioButton) return fieldValue === field.buttonValue ? "☑" : "☐";
  return (Array.isArray(fieldValue) ? fieldValue : [fieldValue])
    .filter((value) => typeof value === "string")
    .join(", ");
}
