import { RaglineError } from "../errors.ts";
import type { TokenCounter } from "../ports/token-counter.ts";
import { beginning } from "../text/beginning.ts";
import { languageOf } from "../text/language.ts";
import { held, termsOf } from "../text/terms.ts";
import { searchTokens } from "../text/tokens.ts";
import type { CallOptions, Session } from "../types.ts";
import { carryOver } from "./carry-over.ts";
import { corrected } from "./correction.ts";
import { instruct } from "./instruct.ts";
import { standsAlone } from "./points-back.ts";
import type { Question, Rewritten, Stages } from "./stages.ts";

const INSTRUCTIONS = `Rewrite the last question so that it can be understood without the conversation: put in what it points back to or leaves out.
Change nothing else, answer nothing, keep its language. Reply with the one question alone.`;
const OUTPUT_TOKENS_MAX = 64;
/** Turns shown to the model, and characters of each question and answer. */
const TURNS_SHOWN = 4;
const CHARACTERS_SHOWN = 320;

/** Whether a question leans on the conversation before it. A first one never does. */
function isFollowUp(stages: Stages, question: Question, session: Session): boolean {
  return mayRewrite(stages, question) && session.turns.length > 0 && !standsAlone(corrected(question.question).asked);
}

function mayRewrite({ settings }: Stages, { useRewrite }: Question): boolean {
  return settings.rewriteFollowUps && useRewrite;
}

/** Whether a question is searched for as it is, whatever was said before it, and for certain: known before the conversation is loaded. */
export function isSettled(stages: Stages, question: Question): boolean {
  if (question.mayBeRepeated) return false;
  if (question.isFirst || !mayRewrite(stages, question)) return true;
  return standsAlone(question.question) && corrected(question.question).replaced.length === 0;
}

/** Whether the language model will be asked: only then is there something to wait for. */
export function needsModel(stages: Stages, question: Question, session: Session): boolean {
  return stages.settings.rewriteByModel && stages.instructed !== null && isFollowUp(stages, question, session);
}

/** Step 2 by rules: a follow-up with the salient terms of the last turns, without what it replaces; any other question as it is. */
export function rewriteByRules(stages: Stages, question: Question, session: Session): Rewritten {
  const asked = question.question;
  if (isFollowUp(stages, question, session)) return { query: carryOver(asked, session.turns), standalone: false };
  const isPutRight = mayRewrite(stages, question) && session.turns.length > 0;
  return { query: isPutRight ? corrected(asked).asked : asked, standalone: true };
}

/**
 * Step 2: a standalone query for a follow-up, written by the language model where one follows instructions, else by rules.
 * Rejects with `dependency_failed` where the model's is empty, longer than three times what it was allowed, in
 * another language, or without any word that the reader used.
 */
export async function rewrite(
  stages: Stages,
  question: Question,
  session: Session,
  call: CallOptions,
): Promise<Rewritten> {
  const { instructed: model } = stages;
  if (!model || !needsModel(stages, question, session)) return rewriteByRules(stages, question, session);
  const turns = session.turns
    .slice(-TURNS_SHOWN)
    .map((turn) => `Reader: ${shown(turn.question)}\nAnswer: ${shown(turn.answer)}`);
  const text = [...turns, `Last question: ${question.question}`].join("\n");
  const prompt = { instructions: INSTRUCTIONS, text, maxOutputTokens: OUTPUT_TOKENS_MAX };
  const query = cleaned(await instruct(model, prompt, call));
  checkQuery(query, question.question, session, stages.counter);
  return { query, standalone: true };
}

function shown(text: string): string {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length <= CHARACTERS_SHOWN ? line : `${beginning(line, CHARACTERS_SHOWN)}…`;
}

/** The first line that says something, without the label and the quotation marks that models put around it. */
function cleaned(text: string): string {
  const line = text.split("\n").find((candidate) => candidate.trim() !== "") ?? "";
  return line
    .replace(/^\s*(?:(?:standalone |rewritten |last )?question|query|질문)\s*:/i, "")
    .trim()
    .replace(/^["'“‘「]+(.*?)["'”’」]+$/u, "$1")
    .trim();
}

function checkQuery(query: string, question: string, session: Session, counter: TokenCounter): void {
  const reject = (fault: string) => new RaglineError("dependency_failed", `The rewritten question ${fault}.`);
  if (query === "") throw reject("is empty");
  if (counter.count(query) > 3 * OUTPUT_TOKENS_MAX) throw reject("is longer than three times its limit");
  // A model that answers instead of rewriting: its words are not the reader's.
  const tokens = new Set(
    [question, ...session.turns.map((turn) => turn.question)].flatMap((said) => searchTokens(said)),
  );
  if (!termsOf(query).some((term) => held(term, tokens) > 0)) throw reject("holds no word of the reader's");
  const [asked, written] = [languageOf(question), languageOf(query)];
  if (asked !== "other" && written !== asked) throw reject("is in another language");
}
