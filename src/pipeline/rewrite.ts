import type { Session } from "../types.ts";
import type { Question, Rewritten, Stages } from "./stages.ts";

const REFERS_BACK_EN =
  /^(and|but|so|then|also|what about|how about|why|really)\b|\b(it|its|they|them|their|theirs|this|that|these|those|there|he|she|him|her|his|hers|same|else|former|latter|such)\b/i;
const REFERS_BACK_KO =
  /^(그럼|그러면|그리고|그런데|근데|그래서|그렇다면|왜|또|혹시 그)|(^|\s)(그|이|저)(것|거|건|게|걸|때|중|경우|곳|분|들)?(은|는|이|가|을|를|의|에|도|만|로|와|과)?(\s|\?|$)|거기|여기|위의|앞의|방금|(은|는|도)요\s*\?*$/;
/** A question of fewer words leans on what was said before. In Korean two words are often a whole question. */
const WORDS_MIN = { korean: 2, other: 3 };
const HANGUL = /\p{sc=Hangul}/u;

/**
 * Step 2: a standalone query for a follow-up, by rules. A question that points back (a pronoun, a demonstrative, "and …",
 * "…은요?") or is very short is searched together with the last question that stood alone.
 */
export function rewrite(stages: Stages, question: Question, session: Session): Rewritten {
  const asked = question.question;
  if (session.turnCount === 0) return { query: asked, standalone: true };
  if (!stages.settings.rewriteFollowUps || !refersBack(asked)) return { query: asked, standalone: true };
  const topic = session.turns.findLast((turn) => !refersBack(turn.question)) ?? session.turns[0];
  if (!topic) return { query: asked, standalone: false };
  return { query: `${topic.question} ${asked}`, standalone: false };
}

function refersBack(text: string): boolean {
  const trimmed = text.trim();
  const wordsMin = HANGUL.test(trimmed) ? WORDS_MIN.korean : WORDS_MIN.other;
  return trimmed.split(/\s+/).length < wordsMin || REFERS_BACK_EN.test(trimmed) || REFERS_BACK_KO.test(trimmed);
}
