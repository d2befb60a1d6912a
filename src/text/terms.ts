import { isStopWord, searchTokens } from "./tokens.ts";

/** A word of a question that an answer should hold, as the search tokens that make it up. */
export interface Term {
  readonly word: string;
  /** As it was written, without its last particle. */
  readonly written: string;
  readonly tokens: readonly string[];
}

/** Words that ask, and words that every question has; in English as stems. */
const QUESTION_WORDS = new Set(
  (
    "what when where who whom whose which why how much mani long often do doe did doing can could mai might must should would i me my we our you your " +
    "have has had am been being get got about there ani some tell know pleas want need us from so if than after befor within per " +
    "무엇 뭐 뭔가 언제 어떻 어떻게 어디 누구 누가 얼마 얼마나 며칠 몇 왜 어떤 무슨 어느 알려 알고 궁금 가능 경우 방법 우리 저희 제가 내가 그리고 그럼 혹시 관련 관련해서 관해 관해서 대해 대해서 대한 무엇인 어떤가 있나 되나 하나 해야 이번 지금 " +
    "있는 없는 하는 되는 받는 받을 하려 싶은 싶어 주나 주는 되죠 하죠 인가 건가 나요 가요 까요 니까 나올 있어 없어 그거 이거 뭐야 뭐지 뭔지 뭐니 뭐냐 뭐임 왜야 있냐 없냐 하냐 되냐"
  ).split(" "),
);

/** Verbs that any question may have, in the forms in which it asks: 되는지, 있을까요, 알려주세요, 괜찮아. */
const ASKING = new RegExp(
  `^(?:${[
    "(?:알려|말해|말씀해|설명해|가르쳐|찾아|보여|해)?(?:주(?:세요?|시나요?|실|시겠어요?|십시오|라|나요?)|줘요?|줄래요?|줄|줍니까)",
    "(?:말해|말씀해|알려드려|가르쳐|부탁(?:해|드려|드립니다|드릴게|합니다|이에)?)요?",
    "(?:알고)?(?:싶(?:어|은데|습니다|네)|궁금(?:해|한데|합니다|하네|하다)?)요?",
    "(?:하|되|있|없|맞|걸리|나오)(?:나|는지|는데|는가|던가|었나|을까|을지|을|냐|니|지|고|면|죠|려고|려는데|려면|습니까)요?",
    "(?:할|될|있을|없을|괜찮을)(?:까|지|는지|수)?요?",
    "(?:해|말해|설명해|돼|되|써|받아|맞아|나와|걸려|봐|물어봐|물어보나)(?:야|도|서)?요?",
    "(?:합|됩|갑|납)니까",
    "(?:쓰|쓸|받|보)(?:나|까|면|는지|죠)요?",
    "괜찮(?:아|나|은가|은지|습니까|을까)?요?",
    "(?:어때|어떡해|어떡하죠|어떡하나|어떨까)요?",
    "(?:아시|아세|아나|아는지|모르)(?:나|는)?요?",
    "(?:뭐|뭔|누구|어디|언제|얼마)(?:예|에|이에|인데|데|죠|쯤|서|인지)?요?",
    "얼만가요?|그래요?|그런가요?|좀요?|[전후]에[는도]?|전까지|때[는도에]?",
    String.raw`몇\p{sc=Hangul}{0,6}`,
  ].join("|")})$`,
  "u",
);

/** Particles and verb endings that hang on a Korean word, longest first. */
const ENDINGS = [
  "으로부터",
  "에서부터",
  "하려면은",
  "되었나요",
  "했습니까",
  "합니까",
  "됩니까",
  "입니까",
  "습니까",
  "인가요",
  "하나요",
  "되나요",
  "있나요",
  "없나요",
  "할까요",
  "될까요",
  "하려면",
  "되려면",
  "받으려면",
  "려면",
  "에서는",
  "에게는",
  "으로는",
  "까지는",
  "부터는",
  "이라면",
  "이라도",
  "한다면",
  "된다면",
  "에서",
  "에게",
  "한테",
  "으로",
  "까지",
  "부터",
  "마다",
  "처럼",
  "보다",
  "이나",
  "이며",
  "이고",
  "하고",
  "하면",
  "되면",
  "했을",
  "하는",
  "되는",
  "하지",
  "해야",
  "해도",
  "했는",
  "한가",
  "인지",
  "이란",
  "이야",
  "이니",
  "인데요",
  "인데",
  "하냐",
  "되냐",
  "이랑",
  "에는",
  "에도",
  "와는",
  "과는",
  "라도",
  "라면",
  "예요",
  "이에요",
  "나요",
  "가요",
  "까요",
  "어요",
  "아요",
  "해요",
  "돼요",
  "네요",
  "지요",
  "죠",
  "은",
  "는",
  "이",
  "가",
  "을",
  "를",
  "의",
  "에",
  "로",
  "와",
  "과",
  "도",
  "만",
  "요",
  "란",
  "할",
  "한",
  "된",
  "될",
] as const;

/** What ends a question among friends. Nouns end so too (분야, 재해), which is why only its last word loses it. */
const INFORMAL_ENDING = /(?<=\p{sc=Hangul}{2}|[A-Za-z\d])(?:[야해돼니임]|(?<![하되])냐)$/u;

/** Of a longer word the rest is left out, as of a search token: endings are looked for again and again. */
const WORD_LENGTH_MAX = 64;
const WORD = /[\p{sc=Hangul}]+|[\p{L}\p{N}][\p{L}\p{N}.,'’/-]*/gu;
const HANGUL = /^\p{sc=Hangul}+$/u;
/** A code or a foreign word, and the Hangul behind it. */
const MIXED = /^(.*\P{sc=Hangul})(\p{sc=Hangul}+)$/u;

/** The words of a question that carry its meaning. */
export function termsOf(question: string): Term[] {
  const terms = new Map<string, Term>();
  const words = question.normalize("NFKC").match(WORD) ?? [];
  for (const [i, asked] of words.entries()) {
    // How many of what: 명부터, 개까지.
    if (words[i - 1] === "몇") continue;
    if (ASKING.test(asked)) continue;
    const word = (i < words.length - 1 ? asked : asked.replace(INFORMAL_ENDING, "")).slice(0, WORD_LENGTH_MAX);
    const content = HANGUL.test(word) ? stripEndings(word) : withoutParticleBehind(word).toLowerCase();
    if (HANGUL.test(content) && (content.length < 2 || QUESTION_WORDS.has(content))) continue;
    const tokens = searchTokens(content).filter((token) => !isStopWord(token) && !QUESTION_WORDS.has(token));
    if (tokens.length > 0)
      terms.set(content, { word: content, written: HANGUL.test(word) ? withoutParticle(word) : content, tokens });
  }
  return [...terms.values()];
}

/** One ending less (and the polite 요 behind it), where the word had one: `연차휴가는` is 연차휴가, of which stripping all leaves 연차휴. */
function withoutParticle(word: string): string {
  const ending = ENDINGS.find((candidate) => word.endsWith(candidate) && word.length - candidate.length >= 2);
  if (!ending) return word;
  const rest = word.slice(0, -ending.length);
  return ending === "요" ? withoutParticle(rest) : rest;
}

/** `E3007이` is E3007; `3일은` stays what it is. */
function withoutParticleBehind(word: string): string {
  const [, code = word, tail = ""] = MIXED.exec(word) ?? [];
  return ENDINGS.some((ending) => ending === tail) ? code : word;
}

function stripEndings(word: string): string {
  for (let rest = word; ; ) {
    if (QUESTION_WORDS.has(rest)) return rest;
    const ending = ENDINGS.find((candidate) => rest.endsWith(candidate) && rest.length - candidate.length >= 2);
    if (!ending) return rest;
    rest = rest.slice(0, -ending.length);
  }
}

/** How much of a term a text with these search tokens holds: 0 to 1; less than half of a word is nothing. */
export function held(term: Term, tokens: ReadonlySet<string>): number {
  let found = 0;
  for (const token of term.tokens) if (tokens.has(token)) found++;
  const share = found / term.tokens.length;
  return share < 0.5 ? 0 : share;
}
