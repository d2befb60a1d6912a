/** Where a text stops being JSON: a line and a column from 1, the column in UTF-16 code units. Null: it is JSON. */
export function jsonFault(text: string): { readonly line: number; readonly column: number } | null {
  try {
    JSON.parse(text);
    return null;
  } catch (thrown) {
    const before = text.slice(0, reportedPosition(thrown) ?? unexpectedPosition(text));
    return { line: before.split("\n").length, column: before.length - before.lastIndexOf("\n") };
  }
}

/** V8 says where most faults are; not so of an unexpected token, where it quotes the text, and of an end that comes too early. */
function reportedPosition(thrown: unknown): number | null {
  const [, position] =
    (thrown instanceof Error && / JSON at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(thrown.message)) || [];
  return position === undefined ? null : Number(position);
}

const SPACE = /[ \t\n\r]*/y;
const SCALAR = /(?:true|false|null|-?\d[\d.eE+-]*)(?![\w.])/y;
const CLOSING: Readonly<Record<string, string>> = { "{": "}", "[": "]" };

/** Where a value, a key or a sign between them is expected and something else stands. Strings and numbers are taken as whole. */
function unexpectedPosition(text: string): number {
  const awaited: string[] = [];
  let at = 0;
  let mayClose = false;
  let needs: "key" | "value" | "next" = "value";
  const skip = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const isThere = pattern.test(text);
    if (isThere) at = pattern.lastIndex;
    return isThere;
  };
  for (;;) {
    skip(SPACE);
    const character = text[at] ?? "";
    const closing = awaited.at(-1);
    if (character === closing && (mayClose || needs === "next")) {
      awaited.pop();
      at++;
      needs = "next";
      continue;
    }
    if (needs === "next") {
      if (character !== "," || closing === undefined) return at;
      at++;
      needs = closing === "}" ? "key" : "value";
      mayClose = false;
    } else if (needs === "key") {
      if (character !== '"') return at;
      at = afterString(text, at);
      skip(SPACE);
      if (text[at] !== ":") return at;
      at++;
      needs = "value";
      mayClose = false;
    } else if (CLOSING[character]) {
      awaited.push(CLOSING[character]);
      at++;
      needs = character === "{" ? "key" : "value";
      mayClose = true;
    } else {
      if (character === '"') at = afterString(text, at);
      else if (!skip(SCALAR)) return at;
      needs = "next";
    }
  }
}

function afterString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '"') return at + 1;
    if (text[at] === "\\") at++;
  }
  return text.length;
}
