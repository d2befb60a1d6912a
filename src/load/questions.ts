import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { RaglineError } from "../errors.ts";
import { decodeUtf8 } from "../utf8.ts";

const HANDBOOK_QUESTIONS = fileURLToPath(new URL("../../examples/handbook-questions.jsonl", import.meta.url));
/** A document of the bundled handbook: who has it indexed gets the handbook's questions. */
const HANDBOOK_PAGE = /(?:^|\/)(?:ko\/severance-early-settlement|en\/devices-remote-access)\.md$/;
const DOCUMENTS_MAX = 1000;

export interface Questions {
  /** Where they came from, in words. */
  readonly from: string;
  readonly questions: readonly string[];
}

/**
 * Questions of a file in UTF-8: JSONL with `question` or `text`, or one a line.
 * @throws RaglineError `request_invalid`: the file cannot be read, has another encoding, or holds none.
 */
export async function readQuestions(file: string): Promise<Questions> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new RaglineError("request_invalid", `--questions: ${file} cannot be read`, { cause });
  });
  const text = decodeUtf8(bytes);
  if (text === null) throw new RaglineError("request_invalid", `--questions: ${file} is not UTF-8`);
  const lines = text.split("\n").map((line) => line.trim());
  const questions = lines.filter((line) => line !== "").map((line, index) => questionOf(line, index, file));
  if (questions.length === 0) throw new RaglineError("request_invalid", `--questions: ${file} holds no questions`);
  return { from: file, questions };
}

function questionOf(line: string, index: number, file: string): string {
  if (!line.startsWith("{")) return line;
  let row: { readonly question?: unknown; readonly text?: unknown };
  try {
    row = JSON.parse(line);
  } catch (cause) {
    throw new RaglineError("request_invalid", `--questions: ${file}, line ${index + 1} is no JSON`, { cause });
  }
  const question = row.question ?? row.text;
  if (typeof question === "string" && question.trim() !== "") return question;
  throw new RaglineError("request_invalid", `--questions: ${file}, line ${index + 1} has no question or text`);
}

/** For a server with these documents: the bundled handbook's questions where it has that, else one about each title. */
export async function questionsAbout(
  documents: readonly { readonly id: string; readonly title: string }[],
): Promise<Questions> {
  if (documents.length === 0) {
    throw new RaglineError(
      "not_found",
      "nothing is indexed at the target; run: ragline index <path>, or name --questions",
    );
  }
  if (documents.some(({ id }) => HANDBOOK_PAGE.test(id))) {
    return { ...(await readQuestions(HANDBOOK_QUESTIONS)), from: "the bundled handbook's questions" };
  }
  const titles = [...new Set(documents.slice(0, DOCUMENTS_MAX).map(({ title }) => title.trim()))].filter(Boolean);
  const questions = titles.map((title) =>
    /\p{sc=Hangul}/u.test(title) ? `${title}에 대해 알려 주세요.` : `What does it say about ${title}?`,
  );
  return { from: `the titles of ${titles.length} documents`, questions };
}
