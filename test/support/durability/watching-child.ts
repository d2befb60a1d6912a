import { call, SCOPE } from "../calls.ts";
import { openIndex, token, versionIn } from "./documents.ts";

/** `node watching-child.ts <file> <id>`: searches without a pause; prints each new version and when it was first found. */
const [file = "", id = ""] = process.argv.slice(2);
const { index } = openIndex(file);
for (let last = 0; ; ) {
  const { byText } = await index.search(SCOPE, { text: token(id), limit: 50 }, call());
  const version = versionIn(byText[0]?.passage.text ?? "");
  if (version !== last) process.stdout.write(`${version} ${performance.timeOrigin + performance.now()}\n`);
  last = version;
  await new Promise((resolve) => setTimeout(resolve, 5));
}
