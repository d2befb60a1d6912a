/** Behind a verb in the form that 되다 follows: 해도, 가져가도; not 노트북도. */
const VERB_ALSO = "[해가써봐와줘돼내어아려여켜져쳐겨셔워]도";

/** Endings as they are written among friends (되나여, 하나욤, 이월되져, 내야대요); 수여, 고용, 나염 and 대여 are nouns. */
const BY_EAR: readonly (readonly [RegExp, string])[] = [
  [
    /(?<=\p{sc=Hangul}(?:[까세돼되네해]|나(?!염))[^\S\n]?|[하되있없]나|[인한은던]가|(?:뭐|거|얼마|누구|어디|언제)[에예]|는데)[여염욤욥](?!\p{L})/gu,
    "요",
  ],
  [/(?<=\p{sc=Hangul}[되하이지]|언제|얼마|어디|누구)져(?!\p{L})/gu, "죠"],
  [
    new RegExp(
      String.raw`(?<=(?:\p{sc=Hangul}야|${VERB_ALSO})\s?)대(?=(?:나?요|나여|여(?=\s*(?:[?!.]|$))|는지요?|[죠냐]|지요)(?!\p{L}))`,
      "gu",
    ),
    "되",
  ],
  [/(?<=되)여(?=\s*(?:[?!.]|$))/gu, "요"],
];

/** Shorter words are written without spaces in any text. */
const UNSPACED_LENGTH_MIN = 6;
const COUNTER = String.raw`(?:퍼센트|프로|개월|시간|학기|학점|과목|학년|가지|군데|사람|차례|페이지|\p{sc=Hangul})`;
/** Not within 자유발언제도, 미디어디자인 and 누가복음. */
const QUESTION_WORD =
  `(?:몇${COUNTER}|며칠|언제(?<![선발예방증조유]언제(?=[도한정]))|얼마나?|어디(?=[에로서까부인이예가갔를야죠냐임든있쯤]|$)|` +
  "누가(?!복음|크래커)|누구|어떻게|무엇|뭐)";
/** A question word with what counts, its particles and the copula. */
const ASKS_WITHIN = new RegExp(
  String.raw`(?<=\p{sc=Hangul}{2}|[A-Za-z]\p{sc=Hangul}?|\d\p{sc=Hangul})(${QUESTION_WORD}` +
    "(?:전|후|안|쯤|정도|이상|이내)?(?:까지|부터|에?서(?!류|비스)|으로|한테|동안|씩|마다|에(?!요)|로|이(?![에예])|가(?!능)|를|을)?" +
    "(?:이?[에예]요|이?[죠야냐임]$|인[가데지]요?|입니까)?)",
  "gu",
);
/** What looks like one of the particles below, but for 서류, 서비스, 게시, 게재, 터미널, 테마, 테크, 베를린 and 카를로스. */
const PARTICLE =
  "에서(?!류|비스)|으로|까지|부터(?!미널)|에게(?!시[판물글된하]|재[된하])|한테(?!마|크)|는데|려면|하면서|하면(?!서)|를(?!린|로스)|는";
/** What goes on the same word: 감독으로부터, 신인으로서는, 사용되는지에. */
const GOES_ON = `(?:부터|까지|조차|라도|나마|든지|처럼|마저|밖에|보다|만큼|였다|다[는면고]|[서데지가와과])(?:부터|까지|이?였?다|[는은도의에를만라와과])*`;
/** Behind one of these, two syllables before the next word's two, a space was left out. */
const PARTICLE_WITHIN = new RegExp(
  String.raw`(?<=\p{sc=Hangul}{2}(?:${PARTICLE}))(?=\p{sc=Hangul}{2})(?!${GOES_ON}(?!\p{sc=Hangul}))`,
  "gu",
);

/** Syllables that end in ㄹ. */
const IN_RIEUL = Array.from({ length: 399 }, (_, n) => String.fromCharCode(0xac08 + 28 * n)).join("");
/** 신청할수있나요, 될수없다 */
const CAN_WITHIN = new RegExp(`(?<=[${IN_RIEUL}])수(?=[있없])`, "gu");

/** A question's words as others would have typed them: endings as they are spelled, and spaces where none was put between words. */
export function asSpelled(question: string): string {
  const spelled = BY_EAR.reduce(
    (text, [pattern, by]) => text.replace(pattern, by),
    question.replace(CAN_WITHIN, " 수 "),
  );
  return spelled.replace(/[A-Za-z\d]{0,32}\p{sc=Hangul}+/gu, (word) =>
    word.length < UNSPACED_LENGTH_MIN ? word : spaced(word).trim(),
  );
}

function spaced(word: string): string {
  return word.replace(ASKS_WITHIN, " $1 ").replace(PARTICLE_WITHIN, " ");
}
