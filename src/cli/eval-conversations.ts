import { type ConversationReport, type Outcome, type Ranked, report, scored, WAYS } from "../eval/conversations.ts";
import type { Conversation } from "../eval/sets.ts";
import { stillFits } from "../pipeline/ahead.ts";
import { embedQuery } from "../pipeline/embed.ts";
import { type FoundByText, searchRewritten } from "../pipeline/own-topic.ts";
import { rerank } from "../pipeline/rerank.ts";
import { rewrite, rewriteByRules } from "../pipeline/rewrite.ts";
import { search, searchText } from "../pipeline/search.ts";
import { beginTurn } from "../pipeline/session.ts";
import type { Question, Stages } from "../pipeline/stages.ts";
import { Run } from "../run.ts";
import type { Scope, ScoredPassage } from "../types.ts";

/** Asks the last question of every conversation as it was asked, as the configured rewrite has it, and as the set's authors do. */
export async function evaluateConversations(
  stages: Stages,
  scope: Scope,
  conversations: readonly Conversation[],
  signal: AbortSignal,
  onQuery: (done: number) => void,
): Promise<ConversationReport & { readonly degraded: number }> {
  const outcomes: Outcome[] = [];
  let degraded = 0;
  for (const conversation of conversations) {
    const { id, text, history, rewrite: official, grades } = conversation;
    const run = new Run({ signal, timeoutMs: stages.settings.timeoutMs, limitsMs: stages.settings.limitsMs });
    const question = { ...ASKED, requestId: id, turnKey: id, sessionId: id, scope, question: text, history };
    const { session } = await beginTurn(stages, question, { signal });
    const otherwise = { fallback: "rewritten by rules", value: rewriteByRules(stages, question, session) };
    const asWritten = await run.may("rewrite", (call) => rewrite(stages, question, session, call), otherwise);
    degraded += run.degraded.length;
    const searched = new Map<string, Promise<Found>>();
    const find = (query: string) => {
      const found = searched.get(query) ?? retrieve(stages, scope, query, signal);
      searched.set(query, found);
      return found;
    };
    const [asked, byAuthors] = [await find(text), await find(official)];
    const asIs = { query: text, byText: async () => asked.text };
    const rewritten = await searchRewritten(asIs, asWritten, stages.words, find, null);
    const isAsked = rewritten.query === text;
    const early = isAsked ? null : await stillFits(Promise.resolve(asked), text, official, stages.words);
    const ranked = { asked: idsOf(asked), rewritten: idsOf(rewritten), official: idsOf(byAuthors) };
    const turn = 1 + history.filter(({ role }) => role === "user").length;
    outcomes.push(scored(turn, grades, ranked, isAsked ? null : early !== null));
    onQuery(outcomes.length);
  }
  return { ...report(outcomes), degraded };
}

const ASKED: Omit<Question, "requestId" | "turnKey" | "scope" | "sessionId" | "question" | "history"> = {
  mayBeRepeated: false,
  isFirst: false,
  filter: null,
  top: null,
  useCache: false,
  useRewrite: true,
  useReranker: true,
};

interface Found {
  readonly text: FoundByText;
  readonly found: readonly ScoredPassage[];
  readonly ranked: readonly ScoredPassage[];
}

async function retrieve(stages: Stages, scope: Scope, query: string, signal: AbortSignal): Promise<Found> {
  const vector = await embedQuery(stages, scope, query, { signal });
  const asked = { scope, filter: null };
  const found = await search(stages, asked, query, vector, { signal });
  const text = await searchText(stages, asked, query, { signal });
  return { text, found, ranked: await rerank(stages, query, found, found.length, { signal }) };
}

function idsOf({ text, ranked }: Found): Ranked {
  const ids = (hits: readonly ScoredPassage[]) => hits.map(({ passage }) => passage.documentId);
  return { text: ids(text.hits), pipeline: ids(ranked) };
}

export function printConversations(
  set: string,
  passages: number,
  result: ConversationReport & { readonly degraded: number },
): void {
  const { rows, ahead, degraded } = result;
  const all = rows.at(-1)?.questions ?? 0;
  console.log(`${set}: ${all} questions in conversations, ${passages} passages; nDCG@10\n`);
  console.log(`${"".padEnd(12)}${"text alone".padEnd(30)}whole pipeline`);
  console.log(`turn    n   ${[...WAYS, ...WAYS].map((way) => way.padEnd(10)).join("")}`);
  for (const { turn, questions, text, pipeline } of rows) {
    const figures = [text, pipeline].flatMap((leg) => WAYS.map((way) => leg[way].toFixed(3).padEnd(10)));
    console.log(`${String(turn).padEnd(6)}${String(questions).padStart(4)}  ${figures.join("")}`);
  }
  const share = ahead.followUps === 0 ? 0 : ahead.accepted / ahead.followUps;
  console.log(
    `\nSearch of the question as asked, kept where the official rewrite changes nothing that matters: ${ahead.accepted} of ${ahead.followUps} follow-ups (${(100 * share).toFixed(0)}%), ` +
      `recall@5 lost in them ${ahead.recallLoss.toFixed(3)}.`,
  );
  if (degraded > 0) console.log(`The model's rewrite failed ${degraded} times; rules stood in.`);
}
