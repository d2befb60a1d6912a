/** Endings as they are written among friends (되나여, 하나욤, 이월되져, 내야대요); 수여, 고용, 가용 and 참여 are nouns. */
const BY_EAR: readonly (readonly [RegExp, string])[] = [
  [/(?<=\p{sc=Hangul}[나까세돼되네해][^\S\n]?|[인한은던]가)[여염욤욥](?!\p{L})/gu, "요"],
  [/(?<=\p{sc=Hangul}[되하이지]|언제|얼마|어디|누구)져(?!\p{L})/gu, "죠"],
  [/(?<=\p{sc=Hangul}[야도]\s?)대(?=[요나는지죠냐여](?!\p{sc=Hangul}{3}))/gu, "되"],
];

/** Shorter words are written without spaces in any text. */
const UNSPACED_LENGTH_MIN = 6;
const COUNTER = "(?:퍼센트|프로|개월|시간|\\p{sc=Hangul})";
/** A question word with what counts, its particles and the copula. */
const ASKS_WITHIN = new RegExp(
  `(?<=\\p{sc=Hangul}{2})((?:몇${COUNTER}|며칠|언제|얼마나?|어디|누가|누구|어떻게|무엇|뭐)` +
    "(?:전|후|안|쯤|정도|이상|이내)?(?:까지|부터|에서|으로|한테|동안|씩|마다|에(?!요)|로|이(?![에예])|가|를|을)?" +
    "(?:이?[에예]요|이?[죠야냐임]$|인[가데지]요?|입니까)?)",
  "gu",
);
/** Behind one of these, two syllables before the next word's two, a space was left out: no noun holds them. */
const PARTICLE_WITHIN =
  /(?<=\p{sc=Hangul}{2}(?:에서|으로|까지|부터|에게|한테|는데|려면|하면|를|는))(?=\p{sc=Hangul}{2})/gu;

/** A question's words as others would have typed them: endings as they are spelled, and spaces where none was put between words. */
export function asSpelled(question: string): string {
  const spelled = BY_EAR.reduce((text, [pattern, by]) => text.replace(pattern, by), question);
  return spelled.replace(/\p{sc=Hangul}+/gu, (word) =>
    word.length < UNSPACED_LENGTH_MIN ? word : spaced(word).trim(),
  );
}

function spaced(word: string): string {
  return word.replace(ASKS_WITHIN, " $1 ").replace(PARTICLE_WITHIN, " ");
}
