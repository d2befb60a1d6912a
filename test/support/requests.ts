import type { GenerateRequest } from "../../src/ports/language-model.ts";
import type { Source } from "../../src/types.ts";

export function source(n: number, text: string): Source {
  const document = `doc-${n}`;
  const place = { passageId: `${document}#0`, documentId: document, title: `문서 ${n}`, headings: [] };
  return { n, ...place, text, score: 1 / n, metadata: {} };
}

/** What the prompt step would hand to a model. */
export function generateRequest(question: string, texts: readonly string[]): GenerateRequest {
  const sources = texts.map((text, i) => source(i + 1, text));
  const passages = sources.map(({ n, text }) => `[${n}] ${text}`).join("\n");
  return {
    messages: [
      { role: "system", content: "Answer from the passages." },
      { role: "user", content: `Passages:\n\n${passages}\n\nQuestion: ${question}` },
    ],
    question,
    query: question,
    sources,
    maxOutputTokens: 256,
  };
}
