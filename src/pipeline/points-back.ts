import { CONTRASTS } from "../text/asks.ts";
import { languageOf } from "../text/language.ts";
import { termsOf } from "../text/terms.ts";

const BEGINS_BACK_EN = /^(and|but|so|then|also|what about|how about|why|really)\b/i;
/** Not "is there …", "there are …". */
const REFERS_BACK_EN =
  /\b(it|its|they|them|their|theirs|this|that|these|those|(?<!\b(?:is|are|was|were) )there(?! (?:is|are|was|were|seems?)\b)|he|she|him|her|his|hers|same|else|former|latter|such)\b/i;
/** "How long does it take to get a refund?", "Is it allowed to …": stands for what is said behind it. */
const EXPLETIVE_EN =
  /\bit (?=(?:takes?|took|costs?|(?:(?:is|was) )?(?:im)?possible|(?:(?:is|was) )?(?:allowed|permitted|forbidden|ok|okay|fine|safe|legal|illegal|necessary|mandatory|acceptable)) to\b)/gi;
/** The department, unless all is in capitals. */
const IT = /\bIT\b/g;
const LOWER_CASE = /[a-z]/;

/** No word is written with one of these at its beginning. */
const CONNECTIVE_KO = /^(?:그럼|그러면|그리고|그런데|근데|그래서|그렇다면|또한)/;
const ADDS_KO = /^(?:그리고|그런데|근데|또한)요?[\s,]+/;
const PARTICLE_KO =
  "(?:에서|서|에게|한테|까지|부터|보다|처럼|하고|이랑|랑|으로|로|에|의|만)?(?:은|는|이|가|을|를|과|와|도)?(?:요|이?에요|예요|인가요|이?죠)?";
/** "왜", "또" */
const BEGINS_BACK_KO = eojeol("(?:왜|또)(?:요|죠|지|냐|인가요|인지|그래요?|그런가요|안|못)?", "^");
/** Not 저는, 저도: that is "I"; nor 이의 (objection), 이만 (20 000), 이중 (double). */
const REFERS_BACK_KO = eojeol(
  [
    "[그이](?:는|를|에|와|로)?",
    "그(?:가|의|도|중)",
    "이중에서?",
    `(?:[그이저](?:것|거|건|게|걸|분|들)|[그이](?:때|곳|경우)|그중|[여거]기)들?${PARTICLE_KO}`,
    "[위앞]의|방금|다른(?=\\s)|나머지(?=\\s)",
  ].join("|"),
);
/** Means what was named last. */
const IS_THERE_KO = eojeol(`(?:거기|그곳)${PARTICLE_KO}`);
const IS_THERE_EN = /\bthere\s*\?*$/i;
/** "기한은요?" */
const ENDS_BACK_KO = /[은는도]요\s*\?*$/;
/** "임산부는?", "수습도 되나요?": one noun is compared with, or added to, what was asked before. Not 복지제도, 대출한도. */
const ONE_NOUN_KO =
  /^(?:\p{sc=Hangul}|[a-z\d])+(?:(?:은|는)\s*\?*$|도\s*(?:\?+$|(?=(?:되|돼|될|가능|해당|포함|적용|같|똑같|마찬가지|있|받))))/iu;

/** What thanks, "understood" and "no" are made of: "네 알겠습니다", "ok got it", "아니,". */
const ACKNOWLEDGING =
  "네+|넵|넹|예|응|아니[요오]?|아뇨|아하?|오|굿|진짜|정말|너무|아주|대단히|답변|설명|도움|친절한|빠른|좋아요?|좋습니다|그렇군요|ㅇㅇ|ㅇㅋ|ㄱㅅ|ㄳ|[ㅋㅎ]+|오케이|오키|" +
  "감사(?:합니다|해요|드려요|드립니다)?|고마워요?|고맙(?:습니다|네요)|(?:알겠|알았|이해했|확인했)(?:습니다|어요?|네요)|" +
  "ok|okay|k|yes|no(?=[,.!;]|$)|yeah|oh|sure|got it|i see|understood|all ?right|great|good|nice|perfect|cool|that helps|" +
  "thanks|thank you|thx|ty|a lot|so much|very much|for (?:the|your) (?:help|answer)";
const ACKNOWLEDGES = new RegExp(String.raw`^(?:(?:${ACKNOWLEDGING})(?![\p{L}\p{N}])[^\p{L}\p{N}]*)+`, "iu");

/**
 * A question with this many content words says what it is about. This and the constant below were chosen on half of the
 * conversations of two sets (mtrag/clapnq and Korean law) and held on the other half.
 */
const STANDALONE_TERMS = 4;
/** So many content words before "it" or "그건" are what that stands for. */
const ANTECEDENT_TERMS = 5;

/** One of the words, which may hold their particles, between what is no letter: 이것은, but neither 급여기준 nor 이것저것. */
function eojeol(words: string, begins = String.raw`(?<![\p{L}\p{N}])`): RegExp {
  return new RegExp(String.raw`${begins}(?:${words})(?![\p{L}\p{N}])`, "u");
}

/** Whether a question says what it is about: it does not point back, and has words enough of its own. */
export function standsAlone(question: string): boolean {
  return !refersBack(question) && termsOf(question).length >= STANDALONE_TERMS;
}

/** Whether a question says itself that it goes on from something: "그건…", "what about…", "기한은요?". */
export function refersBack(question: string): boolean {
  const text = beyondThanks(question);
  if (BEGINS_BACK_EN.test(text) || CONNECTIVE_KO.test(text) || BEGINS_BACK_KO.test(text)) return true;
  if (ONE_NOUN_KO.test(text) && termsOf(text).length === 1) return true;
  return [pronounAt(text), text.search(REFERS_BACK_KO), text.search(ENDS_BACK_KO)].some(
    (at) => at >= 0 && termsOf(text.slice(0, at)).length < ANTECEDENT_TERMS,
  );
}

/** The same but for one that adds: "그리고 USB는 누가 빌려주나요?" may ask about something else, which what is found tells. */
export function refersBackForCertain(question: string): boolean {
  return refersBack(beyondThanks(question).replace(ADDS_KO, ""));
}

/** Where the first English word stands that points back; -1: none. In a Korean question a Latin word is a name (it 지원팀). */
function pronounAt(text: string): number {
  if (languageOf(text) === "ko") return -1;
  const blank = (word: string) => " ".repeat(word.length);
  const pointing = text.replace(EXPLETIVE_EN, blank);
  return (LOWER_CASE.test(text) ? pointing.replace(IT, blank) : pointing).search(REFERS_BACK_EN);
}

/** Whether one word does nothing but point back, and is none that could be searched for. */
export function pointsBack(word: string): boolean {
  return CONNECTIVE_KO.test(word) || BEGINS_BACK_KO.test(word) || REFERS_BACK_KO.test(word);
}

export function contrasts(question: string): boolean {
  return CONTRASTS.test(beyondThanks(question));
}

/** Whether a question is about the place, or thing, that was named last: "거기 일비는?". */
export function meansThere(question: string): boolean {
  return IS_THERE_KO.test(question) || IS_THERE_EN.test(question);
}

/** A question without thanks, "understood" and "no" before it; empty: there is nothing else. */
export function beyondThanks(question: string): string {
  return question.trim().replace(ACKNOWLEDGES, "");
}
