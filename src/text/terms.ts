import { stemOf, verbOf, withoutParticle, withoutParticleBehind } from "./endings.ts";
import { isStopWord, searchTokens } from "./tokens.ts";
import { asSpelled } from "./typed.ts";
import { verbForms } from "./verb-forms.ts";

/** A word of a question that an answer should hold, as the search tokens that make it up. */
export interface Term {
  readonly word: string;
  /** As it was written, without its last particle. */
  readonly written: string;
  readonly tokens: readonly string[];
  /** Of a Korean verb: what its last token is in other forms of it. */
  readonly forms: readonly string[];
}

/** Words that ask, and words that every question has; in English as stems. */
const QUESTION_WORDS = new Set(
  (
    "what when where who whom whose which why how much mani long often do doe did doing can could mai might must should would i me my we our you your " +
    "have has had am been being get got about there ani some tell know pleas want need us from so if than after befor within per " +
    "무엇 뭐 뭔가 언제 어떻 어떻게 어디 누구 누가 얼마 얼마나 며칠 몇 왜 어떤 무슨 어느 알려 알고 궁금 가능 불가능 경우 방법 우리 저희 제가 내가 그리고 그럼 혹시 관련 관련해서 관해 관해서 대해 대해서 대한 무엇인 어떤가 있나 되나 하나 해야 이번 지금 차이 차이점 비교 내용 " +
    "있는 없는 하는 되는 받는 받을 하려 싶은 싶어 주나 주는 되죠 하죠 인가 건가 나요 가요 까요 니까 나올 있어 없어 그거 이거 뭐야 뭐지 뭔지 뭐니 뭐냐 뭐임 왜야 아니 아닌 안되 못하 걸리 걸려 걸렸 걸립 나오 나와 나왔 나옵 정도 이내 있냐 없냐 하냐 되냐"
  ).split(" "),
);

/** Verbs that any question may have, in the forms in which it asks: 되는지, 있을까요, 알려주세요, 괜찮아. */
const ASKING = new RegExp(
  `^(?:${[
    String.raw`(?:알려|말해|말씀해|설명해|가르쳐|찾아|보여)주[시실]\p{sc=Hangul}{0,3}`,
    "(?:알려|말해|말씀해|설명해|가르쳐|찾아|보여|해)?(?:주(?:세요?|시나요?|실|시겠어요?|십시오|라|나요?)|줘요?|줄래요?|줄|줍니까)",
    "(?:말해|말씀해|알려드려|가르쳐|부탁(?:해|드려|드립니다|드릴게|합니다|이에)?)요?",
    "(?:문의|질문|말씀|부탁)?드(?:려요?|려도|립니다|릴게요?|리고)|(?:문의|질문)(?:이요|이에요|있어요|있습니다|입니다|합니다|해요)",
    String.raw`여쭤(?:[보봐볼봅]\p{sc=Hangul}{0,3})?`,
    String.raw`(?:안녕하|수고[하많]|많으십|바쁘[신실]|죄송[하합])\p{sc=Hangul}+|수고|실례[지합]\p{sc=Hangul}+|다름이?|아니라`,
    "바(?:랍니다|라요|래요)|(?:불?가능|필요)(?:해|한가|한지|하나|하죠|할까|할지|했나|합니까)요?",
    "(?:알고)?(?:싶(?:어|은데|습니다|네)|궁금(?:해|한데|합니다|하네|하다)?)요?",
    "(?:하|되|있|없|맞|걸리|나오)(?:나|는지|는데|는가|던가|었나|을까|을지|을|냐|니|지|고|면|죠|려고|려는데|려면|습니까)요?",
    "(?:할|될|있을|없을|괜찮을)(?:까|지|는지|수)?요?",
    "(?:해|말해|설명해|돼|되|써|받아|맞아|나와|걸려|봐|물어봐|물어보나)(?:야|도|서)?요?",
    "(?:합|됩|갑|납)니까",
    "(?:쓰|쓸|받|보)(?:나|까|면|는지|죠)요?|[내와줘사써타봐떼]요",
    "괜찮(?:아|나|은가|은지|습니까|을까)?요?",
    "(?:어때|어떡해|어떡하죠|어떡하나|어떨까)요?",
    "(?:아시|아세|아나|아는지|모르)(?:나|는)?요?",
    "(?:뭐|뭔|거|누구|어디|언제|얼마)(?:예|에|이에|인데|인가|데|죠|쯤|서|인지)?요?",
    "얼만가요?|그래요?|그런가요?|좀요?|[전후안]에[는도]?|전까지|때[는도에]?",
    String.raw`(?:몇|며칠)\p{sc=Hangul}{0,6}`,
  ].join("|")})$`,
  "u",
);

/** Behind 얼마나: how often, how much, how long, how soon, how far. */
const HOW = /^(?:자주|많이|오래|오랫동안|빨리|일찍|늦게|멀리|크게|길게)$/u;

/** Before how many: 1년에 며칠, 2주에 몇 번. */
const PER = /^\d+(?:년|개월|주일?|일|시간|회|인|명)에는?$/u;
const HOW_MANY = /^(?:몇|며칠|얼마|최대)/u;

/** Of one syllable, with "하나요", "돼요" or "됨" behind it: 내야, 가야하나요, 내야됨. */
const VERB_THAT_MUST = /^\p{sc=Hangul}야(\p{sc=Hangul}*)$/u;

/** Of more syllables: 바꿔야 하나요, 바꿔야하나요. */
const MUST = /^(\p{sc=Hangul}{2,})야(\p{sc=Hangul}*)$/u;

/** What ends a question among friends. Nouns end so too (분야, 재해), which is why only its last word loses it. */
const INFORMAL_ENDING = /(?<=\p{sc=Hangul}{2}|[A-Za-z\d])(?:[야해돼니임]|(?<![하되])냐)$/u;

/** Of a longer word the rest is left out, as of a search token: endings are looked for again and again. */
const WORD_LENGTH_MAX = 64;
const WORD = /[\p{sc=Hangul}]+|[\p{L}\p{N}][\p{L}\p{N}.,'’/-]*/gu;
const HANGUL = /^\p{sc=Hangul}+$/u;
/** The words of a question that carry its meaning. */
export function termsOf(question: string): Term[] {
  const terms = new Map<string, Term>();
  const words = asSpelled(question.normalize("NFKC")).match(WORD) ?? [];
  for (const [i, asked] of words.entries()) {
    // How many of what: 명부터, 개까지.
    if (words[i - 1] === "몇") continue;
    if (PER.test(asked) && HOW_MANY.test(words[i + 1] ?? "")) continue;
    if (ASKING.test(asked) || (words[i - 1] === "얼마나" && HOW.test(asked))) continue;
    const [, joined] = VERB_THAT_MUST.exec(asked) ?? [];
    if (joined !== undefined && helpsAVerb(joined || (words[i + 1] ?? ""))) continue;
    const word = (i < words.length - 1 ? asked : asked.replace(INFORMAL_ENDING, "")).slice(0, WORD_LENGTH_MAX);
    const content = HANGUL.test(word) ? stemOf(word, QUESTION_WORDS) : withoutParticleBehind(word).toLowerCase();
    if (HANGUL.test(content) && (content.length < 2 || QUESTION_WORDS.has(content))) continue;
    const must = verbThatMust(asked.slice(0, WORD_LENGTH_MAX), words[i + 1] ?? "", content);
    const tokens = must
      ? searchTokens(must)
      : searchTokens(content).filter((token) => !isStopWord(token) && !QUESTION_WORDS.has(token));
    if (tokens.length === 0) continue;
    const verb = must ?? (verbOf(asked) === content ? content : "");
    const forms = verbForms(verb.slice(-1)).map((last) => verb.slice(-2, -1) + last);
    terms.set(content, { word: content, written: HANGUL.test(word) ? withoutParticle(word) : content, tokens, forms });
  }
  return [...terms.values()];
}

/** 바꿔 of "바꿔야 하나요"; null: the word is no verb before 하다 or 되다 that asks, or made of a noun (제출해야 하나요). */
function verbThatMust(word: string, next: string, content: string): string | null {
  const [, verb, joined] = MUST.exec(word) ?? [];
  return content === `${verb}야` && helpsAVerb(joined || next) ? (verb ?? null) : null;
}

/** Whether a word is one of 하다 or 되다 that asks. */
function helpsAVerb(word: string): boolean {
  return /^[됨함]$/.test(word) || (/^[하해할합되돼될됩]/.test(word) && ASKING.test(word));
}

/** So many search tokens are no chance: of words without spaces between them a text may hold one. */
const TOKENS_HELD_MIN = 3;

/** What may stand right behind a unit: 3일은, 25일까지, 30분간, 2회차, 2025년도. */
const BEHIND_UNIT = [..."은는이가을를에의과와도만로까씩간당쯤째차전후"];
/** Says what it is without its unit. */
const YEAR = /^(?:19|20)\d\d$/;
/** Words of their own. */
const NO_UNIT = new Set(["시간", "회의", "주의", "인간"]);
/** Units that a syllable more says the same of (2025년도, 6년차), and those that are two: 3만원, 3만 원. */
const UNIT_AND_MORE = /^[년일회주][도차째간]$/;
const FACTOR_FIRST = /^[십백천만억]./u;

/** How much of a term a text with these search tokens holds, verbs in any form: 0 to 1; less than half of a word is nothing, nor is a number without its unit. */
export function held(term: Term, tokens: ReadonlySet<string>): number {
  if (isCounted(term)) return holdsCount(term, tokens) ? 1 : 0;
  let found = 0;
  for (const token of term.tokens) if (tokens.has(token)) found++;
  const isInForm = found < term.tokens.length && !tokens.has(term.tokens.at(-1) ?? "");
  if (isInForm && term.forms.some((form) => tokens.has(form))) found++;
  const share = found / term.tokens.length;
  return share < 0.5 && found < TOKENS_HELD_MIN ? 0 : share;
}

/** Whether a term is a number with its unit: 3회, 25일. */
export function isCounted({ tokens }: Term): boolean {
  return tokens.length === 2 && /^\p{Nd}+$/u.test(tokens[0] ?? "");
}

/** Whether a text has the number, and its unit by itself or with a particle. */
function holdsCount({ tokens: [number = "", unit = ""] }: Term, tokens: ReadonlySet<string>): boolean {
  if (!tokens.has(number)) return false;
  if (YEAR.test(number) && unit.startsWith("년")) return true;
  const [first = "", second = ""] = unit;
  const holds = (one: string) =>
    tokens.has(one) || BEHIND_UNIT.some((behind) => tokens.has(one + behind) && !NO_UNIT.has(one + behind));
  if (holds(unit) || (UNIT_AND_MORE.test(unit) && holds(first))) return true;
  return FACTOR_FIRST.test(unit) && tokens.has(first) && holds(second);
}
