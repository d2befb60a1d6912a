/** The texts of the benchmark: passages, 50 or as many as asked for, questions that never repeat, and an answer, in Korean and English. */

/** Length of the vectors that the embedding stage returns. */
export const DIMENSIONS = 384;

export interface BenchDocument {
  readonly id: string;
  readonly title: string;
  readonly text: string;
}

const TOPICS = [
  ["연차휴가", "annual leave"],
  ["퇴직금 중간정산", "early severance settlement"],
  ["출장비", "travel expenses"],
  ["재택근무", "remote work"],
  ["보안 사고", "security incidents"],
  ["육아휴직", "parental leave"],
  ["건강검진", "health checks"],
  ["법인카드", "corporate cards"],
  ["교육비", "training budgets"],
  ["노트북 반납", "returning laptops"],
] as const;

const SENTENCES = [
  (ko: string, _: string, n: number) => `${ko} 신청은 사유가 생긴 날부터 ${n + 3}일 안에 인사팀에 제출해야 합니다.`,
  (_: string, en: string, n: number) =>
    `Requests for ${en} are approved by the team lead within ${n + 1} working days.`,
  (ko: string, _: string, n: number) => `${ko}에 관한 예외는 부서장의 승인을 받아 분기마다 ${n + 1}회까지 인정됩니다.`,
  (_: string, en: string, n: number) =>
    `Records about ${en} are kept for ${n + 2} years and may be read by the employee at any time.`,
  (ko: string, _: string, n: number) =>
    `증빙이 없는 ${ko}은(는) ${n + 10}만 원을 넘으면 반려되며, 반려 사유는 전자우편으로 알립니다.`,
  (_: string, en: string, n: number) =>
    `Unused ${en} allowances expire on the last day of month ${(n % 12) + 1}, unless the law says otherwise.`,
] as const;

export const DOCUMENTS_DEFAULT = 50;

/** One passage each. */
export function documentsOf(count: number): BenchDocument[] {
  return Array.from({ length: count }, (_, n) => {
    const [ko, en] = pick(TOPICS, n);
    const part = Math.floor(n / TOPICS.length) + 1;
    return {
      id: `handbook/${n}`,
      title: `${ko} 규정 제${part}조 (${en}, article ${part})`,
      text: SENTENCES.map((sentence, line) => sentence(ko, en, n + line)).join(" "),
    };
  });
}

/** What the reranker and the prompt see of a document. */
export function passageText({ title, text }: BenchDocument): string {
  return `${title}\n${text}`;
}

const QUESTIONS = [
  (ko: string, _: string, en: string) => `${ko}은(는) 며칠 안에 신청해야 하나요? And who approves ${en}?`,
  (_: string, ko: string, en: string) => `How long are records about ${en} kept, 그리고 ${ko} 예외는 누가 승인하나요?`,
  (ko: string, other: string) => `${ko} 증빙이 없으면 어떻게 되는지, ${other}과(와) 어떻게 다른지 알려 주세요.`,
] as const;

/** A question that no other request asks; its number is what stages and generator recognise the request by. */
export function question(number: number): string {
  const [ko, en] = pick(TOPICS, number);
  const [other] = pick(TOPICS, number * 7 + 3);
  return `${pick(QUESTIONS, number)(ko, other, en)} (Q${number})`;
}

/** The number of the question within a request's body; 0: none. */
export function questionNumber(body: string): number {
  return Number(/\(Q(\d+)\)/.exec(body)?.[1] ?? 0);
}

const WORDS =
  "신청은 사유가 생긴 날부터 5일 안에 인사팀에 제출해야 합니다. The team lead approves it within two working days [ 1 ] and records are kept 합니다.".split(
    " ",
  );

/** An answer of so many tokens, as a model would stream it: word by word, its citation in three pieces. */
export function answerTokens(count: number): string[] {
  return Array.from({ length: count }, (_, n) => {
    const word = pick(WORDS, n);
    return n === 0 || word === "1" || word === "]" ? word : ` ${word}`;
  });
}

function pick<T>(items: readonly [T, ...T[]] | readonly T[], n: number): T {
  const item = items[n % items.length];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
}
