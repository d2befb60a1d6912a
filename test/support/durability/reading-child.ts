import { call, SCOPE } from "../calls.ts";
import { isWhole, openIndex, token } from "./documents.ts";

/**
 * `node reading-child.ts <file> <id> …`: searches for each document over and over. Says `wrong …` where one is not there as
 * a whole, in one version; at SIGTERM how many searches it made.
 */
const [file = "", ...ids] = process.argv.slice(2);
const { index, close } = openIndex(file);
let searches = 0;
let isOver = false;
process.on("SIGTERM", () => {
  isOver = true;
});

function problem(id: string, texts: readonly string[]): string | null {
  const [first] = texts;
  if (first === undefined) return id.includes("-kept-") ? "is not there" : null;
  return isWhole(id, texts) ? null : `is not whole: ${JSON.stringify(texts)}`;
}

process.stdout.write("ready\n");
while (!isOver) {
  for (const id of ids) {
    const { byText } = await index.search(SCOPE, { text: token(id), limit: 100 }, call());
    const ordinal = (passageId: string) => Number(passageId.split("#")[1]);
    const inOrder = byText.toSorted((a, b) => ordinal(a.passage.id) - ordinal(b.passage.id));
    const texts = inOrder.map(({ passage }) => passage.text);
    const wrong = problem(id, texts);
    if (wrong) process.stdout.write(`wrong ${id} ${wrong}\n`);
    searches++;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
process.stdout.write(`searches ${searches}\n`);
await close();
