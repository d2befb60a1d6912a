import { isOn } from "./ooxml.ts";

/** Fields whose text stands in the document elsewhere: the entries of tables of contents and of indexes. */
const REPEATING = /^\s*(?:TOC|INDEX)\b/i;

interface Field {
  instruction: string;
  /** What stands for it follows. */
  isResult: boolean;
  /** Of a box to tick; null: it is none. */
  isChecked: boolean | null;
  /** Of a list to choose from. */
  readonly entries: string[];
  chosen: number;
}

/** Which text is of a field's instruction, and which of its result. */
export class Fields {
  readonly #open: Field[] = [];

  /** Whether what is read now is shown. */
  get isShown(): boolean {
    return this.#open.every(({ isResult, instruction }) => isResult && !REPEATING.test(instruction));
  }

  begin(instruction = "", isResult = false): void {
    this.#open.push({ instruction, isResult, isChecked: null, entries: [], chosen: 0 });
  }

  separate(): void {
    const field = this.#open.at(-1);
    if (field) field.isResult = true;
  }

  /** At the end of a paragraph, which no instruction goes beyond: one that nothing ended hides nothing behind it. */
  endInstructions(): void {
    for (const field of this.#open) field.isResult = true;
  }

  /** What a field of a form shows that has no text of its own. */
  end(): string {
    const { isChecked = null, entries = [], chosen = 0 } = this.#open.pop() ?? {};
    if (isChecked !== null) return isChecked ? "☑" : "☐";
    return entries[chosen] ?? "";
  }

  instruct(text: string): void {
    const field = this.#open.at(-1);
    if (field && !field.isResult) field.instruction += text;
  }

  /** What is said of the field of a form: whether its box is ticked, or what there is to choose from. */
  describe(name: string, value: string, parent: string): void {
    const field = this.#open.at(-1);
    if (!field) return;
    if (parent === "checkBox" && (name === "default" || name === "checked")) field.isChecked = isOn(value);
    else if (name === "listEntry") field.entries.push(value);
    else if (parent === "ddList" && (name === "default" || name === "result")) field.chosen = Number(value);
  }
}
