import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { mean } from "../../src/statistics.ts";
import { temporaryFolder } from "../../test/support/folder.ts";
import { round } from "../stats.ts";
import { halves } from "./measure.ts";
import { DATA } from "./sets.ts";

const HELP = `node bench/retrieval/articles.ts [-- options]

Korean statutes as whole texts, as a regulation is one file: how often the first passage found is of the article that is asked for. Asked by
its caption (the passage has its beginning, or its heading), and by eight words of its middle (the passage has these). In brackets the same on every other
question and on the rest.

  --against FOLDER  the src of another checkout, beside this one
`;
const { values: options } = parseArgs({
  options: { against: { type: "string" }, help: { type: "boolean", default: false } },
});

const LAW = join(DATA, "law_ko");
/** An article that is shorter has no middle. */
const LENGTH_MIN = 120;

interface Article {
  readonly id: string;
  readonly title: string;
  readonly text: string;
  readonly law: string;
  readonly article: string;
  readonly chapter: string;
}

if (options.help) console.log(HELP);
else if (!existsSync(LAW)) console.log(`skipped: there is no ${LAW}`);
else await main();

async function main(): Promise<void> {
  const articles = lines<Article>("corpus.jsonl");
  const byId = new Map(articles.map((article) => [article.id, article]));
  const wanted = new Map(
    readFileSync(join(LAW, "qrels.tsv"), "utf8")
      .split("\n")
      .map((line) => line.split("\t") as [question: string, id: string]),
  );
  const asked = lines<{ readonly id: string; readonly text: string }>("queries.jsonl").flatMap(({ id, text }) => {
    const article = byId.get(wanted.get(id) ?? "");
    return article ? [{ article, caption: text }] : [];
  });
  console.log(
    "| src | passages | asked by caption | characters of the passage | asked by words |\n|---|---|---|---|---|",
  );
  for (const src of [...(options.against ? [options.against] : []), "../../src"]) {
    const folder = temporaryFolder();
    const file = folder.file("law.db");
    const { createRagline } = (await import(`${src}/index.ts`)) as typeof import("../../src/index.ts");
    const ragline = await createRagline({
      search: { file },
      session: { file },
      cache: { use: "none" },
      log: { level: "error" },
    });
    for (const [law, text] of wholeTexts(articles))
      await ragline.addDocument({ id: law, title: law, text, format: "text" });
    const first = async (query: string, { law }: Article) => {
      const { hits } = await ragline.search({ query, top: 1 });
      const passage = hits[0]?.passage;
      return passage?.documentId === law ? passage : null;
    };
    const byCaption: number[] = [];
    const byWords: number[] = [];
    const lengths: number[] = [];
    for (const { article, caption } of asked) {
      const passage = await first(caption, article);
      const isHeaded = passage?.headings.some((heading) => heading.startsWith(`${article.article}(`)) ?? false;
      const isFound = isHeaded || bare(passage?.text).includes(bare(article.text).slice(0, 30));
      byCaption.push(Number(isFound));
      if (passage && isFound) lengths.push(passage.text.length);
      if (article.text.length < LENGTH_MIN) continue;
      const words = article.text
        .slice(article.text.length / 3)
        .trim()
        .split(/\s+/)
        .slice(1, 9)
        .join(" ");
      byWords.push(
        Number(bare((await first(`${article.law} ${words}`, article))?.text).includes(bare(words).slice(0, 20))),
      );
    }
    const { passages } = await ragline.status();
    console.log(
      `| ${[src === "../../src" ? "this" : "against", passages, share(byCaption), round(mean(lengths)), share(byWords)].join(" | ")} |`,
    );
    await ragline.close();
    folder.remove();
  }
}

/** By law, with the headings that a printed statute has. */
function wholeTexts(articles: readonly Article[]): Map<string, string> {
  const texts = new Map<string, string>();
  let last = "";
  for (const { law, title, article, chapter, text } of articles) {
    const [, caption = ""] = / (\(.*\))$/.exec(title) ?? [];
    const parts = chapter !== last ? `${chapter.replaceAll(" > ", "\n\n")}\n\n` : "";
    last = chapter;
    texts.set(law, `${texts.get(law) ?? ""}${parts}${article}${caption} ${text}\n\n`);
  }
  return texts;
}

function lines<T>(file: string): T[] {
  return readFileSync(join(LAW, file), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
}

function bare(text = ""): string {
  return text.replace(/\s+/g, "");
}

function share(values: readonly number[]): string {
  const [odd, even] = halves(values).map((half) => mean(half).toFixed(3));
  return `${mean(values).toFixed(3)} (${odd}, ${even})`;
}
