/**
 * Particles, and the endings of the copula and of verbs made of a noun (하다, 되다), which hang on a Korean word; longest first. One
 * leaves two syllables at least: 나이 and 제도 are nouns.
 */
const ENDINGS = (
  "하려면은 으로부터 받으려면 에서부터 께서는 하시면 했습니까 되었나요 인가요 있나요 에서는 된다면 에게는 하려면 으로는 " +
  "없나요 됩니까 되려면 될까요 이라도 되나요 인데요 부터는 한다면 이라면 까지는 합니까 하나요 이라는 " +
  "입니까 이에요 습니까 할까요 이냐 예요 지요 한테 이란 라는 과는 이랑 라도 하는 려면 가요 와는 에는 되는 " +
  "하지 까요 이고 에게 했는 했을 으로 보다 라면 해도 부터 처럼 해요 하고 아요 되냐 인데 이며 이니 까지 께서 하실 하신 이면 " +
  "이야 이나 하면 돼요 나요 네요 어요 해야 에서 에도 마다 한가 되면 하냐 인지 을 만 될 죠 할 의 된 은 " +
  "는 에 도 요 를 로 이 란 과 와 한 가 씩 쯤"
).split(" ");

/** The past: 였 of "얼마였죠", 했 of "신청했나요", 셨 of "하셨는데". */
const PAST = "(?:[하되이으]?[셨였었았]|[했됐])";
/** What a verb alone ends with, so that no noun is cut by it: "내나요" is 내다, and "있다고" is 있다. */
const OF_VERBS =
  "나요|는지요?|는가요?|는데요?|은가요|던가요?|더라고?요?|다고요?|으?려고요?|으?려면|[을은]?까요|습니까|[어아]요";
/** What the copula ends with as well. */
const OF_ALL = "[합됩입]?니까|죠|지요|네요|라고요?";
const PREDICATE = new RegExp(
  `(?:${PAST}?겠?(?:${OF_VERBS}|${OF_ALL})|[하되]?(?:[하되]|으?시)(?:나요|는지요?|는가요?|는데요?|려면|려고요?)|하?셔야)$`,
  "u",
);

const OF_VERB = new RegExp(`${PAST}?겠?(?:${OF_VERBS})$`, "u");
/** Behind a verb whose last syllable ends in ㅂ: 바꿉니까. */
const FORMAL = /(?<=\p{sc=Hangul})(?<![합됩입])니까$/u;

/** A code or a foreign word, and the Hangul behind it. */
const MIXED = /^(.*\P{sc=Hangul})(\p{sc=Hangul}+)$/u;

const NONE: ReadonlySet<string> = new Set();
const DIGIT_LAST = /\p{N}$/u;

/** A Korean word without its endings, one after another, down to one of `known`: 얼마라고, 얼마였죠 and 얼마까지인가요 are 얼마. */
export function stemOf(word: string, known: ReadonlySet<string>): string {
  for (let rest = word.replace(PREDICATE, ""); ; ) {
    if (known.has(rest)) return rest;
    const ending = endingOf(rest, known);
    if (ending === "") return rest;
    rest = rest.slice(0, -ending.length);
  }
}

/** A word without what a verb alone ends with: 바꾸나요 is 바꾸, 바꿔야 (before 하다 and 되다) 바꿔; null: it has no such ending. */
export function verbOf(word: string): string | null {
  const rest = word.replace(OF_VERB, "").replace(FORMAL, "");
  return rest === word ? null : rest;
}

/** One ending less (and the polite 요 behind it), where the word had one: `연차휴가는` is 연차휴가, of which stripping all leaves 연차휴. */
export function withoutParticle(word: string): string {
  const noun = word.replace(PREDICATE, "");
  if (noun !== word) return noun;
  const ending = endingOf(word);
  const rest = word.slice(0, word.length - ending.length);
  return ending === "요" ? withoutParticle(rest) : rest;
}

/**
 * `E3007이` is E3007, `2025년은` 2025년 and `IT지원팀이` IT지원팀. Behind a digit stands a counter of one syllable mostly, behind letters a
 * noun of two. 2025년도 is a year too.
 */
export function withoutParticleBehind(word: string): string {
  const [, code = word, tail = ""] = MIXED.exec(word) ?? [];
  if (ENDINGS.includes(tail)) return code;
  const syllablesMin = DIGIT_LAST.test(code) ? 1 : 2;
  const counted = DIGIT_LAST.test(code) ? tail.replace(/(?<=.)[면인]$/u, "") : tail;
  for (let rest = counted.replace(PREDICATE, ""); ; ) {
    const ending = rest.endsWith("년도") ? "" : endingOf(rest, NONE, syllablesMin);
    if (ending === "") return code + rest;
    rest = rest.slice(0, -ending.length);
  }
}

/** The ending of a word that leaves syllables enough, or one of `known`: 뭐가. */
function endingOf(word: string, known = NONE, syllablesMin = 2): string {
  const leavesEnough = (length: number) => length >= syllablesMin || known.has(word.slice(0, length));
  return ENDINGS.find((ending) => word.endsWith(ending) && leavesEnough(word.length - ending.length)) ?? "";
}
