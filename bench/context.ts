import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compose } from "../src/compose.ts";
import { parseConfig } from "../src/config.ts";
import { ask } from "../src/pipeline/ask.ts";
import { embedQuery } from "../src/pipeline/embed.ts";
import type { Past } from "../src/pipeline/history.ts";
import { assemblePrompt } from "../src/pipeline/prompt.ts";
import { recall } from "../src/pipeline/recall.ts";
import { rewriteByRules } from "../src/pipeline/rewrite.ts";
import type { Question, Stages } from "../src/pipeline/stages.ts";
import { Run } from "../src/run.ts";
import type { Message, ScoredPassage, Session, Turn } from "../src/types.ts";
import { carrier, FACTS, type Fact } from "./context-facts.ts";
import { HELD_OUT } from "./context-facts-held-out.ts";
import { percentile } from "./stats.ts";

/**
 * What a long conversation still knows: 20 facts are said in the course of conversations of 40, 100 and 400 turns, of which the
 * other turns are about the bundled handbook; at the end each is asked for in other words, and the assembled prompt is searched for it.
 * The history budget is 1,500 tokens, and passages claim all the rest. By rules alone, without a language model.
 */
const HISTORY_TOKENS = 1500;
const LENGTHS = process.argv.slice(2).map(Number).filter(Boolean);
const SCOPE = { tenant: "bench", collection: "context", groups: [] };
const signal = new AbortController().signal;
const ANSWER_TOKENS = 300;

type Language = keyof typeof FACTS;
const SETS = { first: FACTS, "held out": HELD_OUT } as const;

interface Exchange {
  readonly question: string;
  readonly answer: string;
}

/** The handbook's sections as questions and answers, over and over. */
function filler(language: Language): Exchange[] {
  const folder = join(import.meta.dirname, "../examples/handbook", language);
  return readdirSync(folder).flatMap((file) => {
    const [title = "", ...sections] = readFileSync(join(folder, file), "utf8")
      .split(/^#+ /m)
      .filter((part) => part.trim());
    return sections.flatMap((section) => {
      const [heading = "", ...lines] = section.split("\n");
      const answer = lines.join("\n").trim().slice(0, 600);
      if (answer === "") return [];
      const about = `${title.split("\n")[0]}: ${heading}`;
      const question = language === "ko" ? `${about}에 대해 알려 주세요.` : `What about ${about}?`;
      return [{ question, answer }];
    });
  });
}

/** The facts stand evenly from the first turn to the last but tenth; late ones in the three before the latest six, and the one before. */
function conversation(facts: readonly Fact[], language: Language, length: number): Exchange[] {
  const fillers = filler(language);
  const early = facts.filter((fact) => !fact.late);
  const every = (length - 10) / early.length;
  const said = new Map(early.map((fact, i) => [Math.floor(i * every), fact]));
  for (const [i, fact] of facts.filter((fact) => fact.late).entries()) said.set(length - 10 + i, fact);
  return Array.from({ length }, (_, turn) => {
    const plain = fillers[turn % fillers.length] ?? { question: "?", answer: "-" };
    const fact = said.get(turn);
    if (!fact) return plain;
    if (fact.by === "reader") return { ...plain, question: `${fact.said} ${plain.question}` };
    return { ...plain, answer: `${plain.answer.slice(0, 200)}\n\n${carrier(fact)}` };
  });
}

const PASSAGES: readonly ScoredPassage[] = Array.from({ length: 30 }, (_, i) => ({
  passage: {
    id: `p${i}`,
    documentId: `p${i}`,
    title: "Filler",
    headings: [],
    text: "lorem ipsum ".repeat(60),
    tokens: 120,
    metadata: {},
  },
  score: 30 - i,
}));

async function main(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "ragline-context-"));
  console.log(`history budget ${HISTORY_TOKENS} tokens; share of 20 facts found in the prompt\n`);
  const columns = [
    "turns",
    "lang",
    "facts",
    "last 5",
    "truncated",
    "raw",
    "+compaction",
    "+summary",
    "+recall",
    "tokens/turn",
    "last5 tok",
    "added ms p50",
    "p95",
    "compact ms",
  ];
  console.log(columns.map((name) => name.padStart(12)).join(""));
  try {
    for (const length of LENGTHS.length > 0 ? LENGTHS : [40, 100, 400]) {
      for (const language of ["en", "ko"] as const) {
        for (const [set, facts] of Object.entries(SETS)) {
          const row = await measure(join(folder, `${length}${language}${set}.db`), facts[language], language, length);
          console.log([length, language, set, ...row].map((cell) => `${cell}`.padStart(12)).join(""));
        }
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function measure(file: string, facts: readonly Fact[], language: Language, length: number): Promise<string[]> {
  const config = parseConfig({
    session: { use: "sqlite", file },
    search: { use: "sqlite", file },
    cache: { use: "none" },
    rerank: { use: "none", keep: 20 },
    prompt: { expectedOutputTokens: ANSWER_TOKENS, system: "Answer." },
  });
  const { stages: composed, close } = await compose(config);
  const answers = { next: "" };
  const index = {
    ...composed.index,
    search: async () => ({ byText: PASSAGES, byVector: [] }),
    version: async () => "1",
  };
  const model: Stages["model"] = {
    model: "scripted",
    contextTokensMax: HISTORY_TOKENS * 3 + ANSWER_TOKENS + 60,
    async *stream() {
      yield { type: "text", text: answers.next };
      yield { type: "end", finishReason: "stop" };
    },
  };
  const stages: Stages = {
    ...composed,
    index,
    model,
    instructed: null,
    settings: { ...composed.settings, keep: 30, top: 30 },
  };
  try {
    const turns = conversation(facts, language, length);
    const compactMs: number[] = [];
    const tokens: number[] = [];
    for (const [number, { question, answer }] of turns.entries()) {
      answers.next = answer;
      const work: Promise<unknown>[] = [];
      const run = new Run({ signal, timeoutMs: 10_000, limitsMs: stages.settings.limitsMs });
      for await (const event of ask(stages, questionOf(question, `t${number}`), run, (task) =>
        work.push(task({ signal })),
      )) {
        if (event.type === "answer-end") tokens.push(event.ledger?.history ?? 0);
        if (event.type === "answer-error") throw new Error(event.error.message);
      }
      const startedAt = performance.now();
      await Promise.all(work);
      if (work.length > 0) compactMs.push(performance.now() - startedAt);
    }
    return [
      ...(await found(stages, facts, turns)).map(shown),
      ...(await costs(stages, facts, tokens, turns)),
      percentile(compactMs, 0.5).toFixed(1),
    ];
  } finally {
    await close();
  }
}

function questionOf(question: string, requestId: string): Question {
  return {
    requestId,
    turnKey: requestId,
    mayBeRepeated: false,
    scope: SCOPE,
    sessionId: "facts",
    question,
    history: null,
    isFirst: false,
    filter: null,
    top: null,
    useCache: false,
    useRewrite: true,
    useReranker: true,
  };
}

function load(stages: Stages): Promise<Session> {
  return stages.sessions.load(SCOPE, "facts", 2 * stages.settings.rawTurns, { signal });
}

async function pastOf(stages: Stages, session: Session, asked: string): Promise<Past> {
  const question = questionOf(asked, "asked");
  const { query } = rewriteByRules(stages, question, session);
  const vector = await embedQuery(stages, SCOPE, query, { signal });
  return recall(stages, question, { session, older: [] }, { query, vector }, { signal });
}

function holds(messages: readonly Message[], key: string): boolean {
  return messages.slice(0, -1).some(({ content }) => content.includes(key));
}

/** Shares found: last 5, truncated, then with one rung more each. */
async function found(stages: Stages, facts: readonly Fact[], turns: readonly Exchange[]): Promise<number[]> {
  const session = await load(stages);
  const counts = [0, 0, 0, 0, 0, 0];
  const loaded = new Set(session.turns.map(({ number }) => number));
  const raw = session.turns.slice(-stages.settings.rawTurns).filter((turn) => !turn.short);
  for (const { asked, key } of facts) {
    const prompt = (past: Past) =>
      assemblePrompt(stages, questionOf(asked, "asked"), asked, past, PASSAGES).request.messages;
    const whole = await pastOf(stages, session, asked);
    const bare = { session: { ...session, summary: "" }, older: [], facts: [] };
    const ways = [
      within(turns.slice(-5), key),
      within(truncated(stages, turns), key),
      holds(prompt({ ...bare, session: { ...bare.session, turns: raw } }), key),
      holds(prompt({ ...bare, older: whole.older.filter(({ number }) => loaded.has(number)) }), key),
      holds(prompt({ session, older: [], facts: whole.facts }), key),
      holds(prompt(whole), key),
    ];
    for (const [way, is] of ways.entries()) counts[way] = (counts[way] ?? 0) + (is ? 1 : 0);
    if (process.env.MISSED && !ways[5]) console.error("missed:", asked);
  }
  return counts.map((count) => count / facts.length);
}

function within(turns: readonly Exchange[], key: string): boolean {
  return turns.some(({ question, answer }) => `${question}\n${answer}`.includes(key));
}

/** The newest turns that fit the same budget whole. */
function truncated({ counter }: Stages, turns: readonly Exchange[]): Exchange[] {
  const kept: Exchange[] = [];
  let tokens = 0;
  for (const turn of turns.toReversed()) {
    tokens += counter.count(turn.question) + counter.count(turn.answer) + 8;
    if (tokens > HISTORY_TOKENS) break;
    kept.push(turn);
  }
  return kept;
}

/** Tokens of history a turn, those of the last five turns, and what recall and the longer prompt add to a question's latency. */
async function costs(
  stages: Stages,
  facts: readonly Fact[],
  tokens: readonly number[],
  turns: readonly Exchange[],
): Promise<string[]> {
  const session = await load(stages);
  const five: Session = { ...session, summary: "", turns: session.turns.slice(-5) as Turn[] };
  const added: number[] = [];
  for (const { asked } of [...facts, ...facts, ...facts]) {
    const question = questionOf(asked, "asked");
    const vector = await embedQuery(stages, SCOPE, asked, { signal });
    const startedAt = performance.now();
    const whole = await recall(stages, question, { session, older: [] }, { query: asked, vector }, { signal });
    assemblePrompt(stages, question, asked, whole, PASSAGES);
    const between = performance.now();
    assemblePrompt(stages, question, asked, { session: five, older: [], facts: [] }, PASSAGES);
    added.push(between - startedAt - (performance.now() - between));
  }
  const lastFive = turns
    .slice(-5)
    .reduce((sum, { question, answer }) => sum + stages.counter.count(question + answer) + 8, 0);
  const mean = tokens.reduce((sum, count) => sum + count, 0) / tokens.length;
  return [mean.toFixed(0), `${lastFive}`, percentile(added, 0.5).toFixed(2), percentile(added, 0.95).toFixed(2)];
}

function shown(share: number): string {
  return share.toFixed(2);
}

await main();
