import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { RaglineError } from "../errors.ts";
import type { CorpusEntry, EvalSet } from "./sets.ts";

const squadSchema = z.object({
  data: z.array(
    z.object({
      title: z.string(),
      paragraphs: z.array(
        z.object({
          context: z.string(),
          qas: z.array(
            z.object({ id: z.string(), question: z.string(), answers: z.array(z.object({ text: z.string() })) }),
          ),
        }),
      ),
    }),
  ),
});

/** A question with the answers that its annotators marked. */
export interface SquadQuestion {
  readonly id: string;
  readonly text: string;
  readonly passageId: string;
  readonly answers: readonly string[];
}

export function isSquad(file: string): boolean {
  return file.endsWith(".json");
}

/** The folder's SQuAD file, where it holds one; null in any other folder, or none. */
export async function squadFileIn(folder: string): Promise<string | null> {
  const names = await readdir(folder).catch((): string[] => []);
  const name = names.find((entry) => /quad.*\.json$/i.test(entry));
  return name === undefined ? null : join(folder, name);
}

/** SQuAD 1.1's form, as KorQuAD 1.0 has it, read as a retrieval set; the file is converted in memory only. */
export async function readSquad(file: string, name: string): Promise<EvalSet> {
  const { questions } = await parseSquad(file);
  const queries = questions.map(({ id, text, passageId }) => ({ id, text, grades: new Map([[passageId, 1]]) }));
  return { name, queries, corpusFile: file };
}

export async function readSquadCorpus(file: string): Promise<CorpusEntry[]> {
  return (await parseSquad(file)).passages;
}

/** Its paragraphs, equal ones once, titled by their article, and its questions. Rejects with `request_invalid`. */
export async function parseSquad(file: string): Promise<{ passages: CorpusEntry[]; questions: SquadQuestion[] }> {
  const parsed = squadSchema.safeParse(await readJson(file));
  if (!parsed.success) {
    throw new RaglineError("request_invalid", `${file} is not in SQuAD's form: ${parsed.error.issues[0]?.message}.`);
  }
  const { data } = parsed.data;
  const passages = new Map<string, CorpusEntry>();
  const questions: SquadQuestion[] = [];
  for (const { title: underscored, paragraphs } of data) {
    const title = underscored.replaceAll("_", " ");
    for (const { context, qas } of paragraphs) {
      const key = JSON.stringify([title, context]);
      const passage = passages.get(key) ?? { id: `p${passages.size + 1}`, title, text: context };
      passages.set(key, passage);
      for (const { id, question, answers } of qas) {
        questions.push({ id, text: question, passageId: passage.id, answers: answers.map(({ text }) => text) });
      }
    }
  }
  return { passages: [...passages.values()], questions };
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new RaglineError("request_invalid", `${file} cannot be read as JSON.`, { cause });
  }
}
