import { RaglineError } from "../../../src/errors.ts";
import { call, SCOPE } from "../calls.ts";
import { documentOf, openIndex, passagesOf, token } from "./documents.ts";

/** `node filling-child.ts <file>`: replaces documents until a write fails, then searches; prints what it saw as JSON. */
const [file = ""] = process.argv.slice(2);
const { index, close } = openIndex(file);
const acknowledged: string[] = [];
let error: unknown;
while (!error && acknowledged.length < 5_000) {
  const id = `d-${acknowledged.length}`;
  try {
    await index.replace(SCOPE, documentOf(id, 1), await passagesOf(id, 1), call());
    acknowledged.push(id);
  } catch (thrown) {
    error = thrown;
  }
}
const { byText } = await index.search(SCOPE, { text: token("d-0"), limit: 50 }, call());
const { code, message, status, retryable } =
  error instanceof RaglineError ? error : new RaglineError("internal", String(error));
console.log(JSON.stringify({ acknowledged, code, message, status, retryable, found: byText.length }));
await close();
