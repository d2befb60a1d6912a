import { RaglineError } from "../../src/errors.ts";
import { ask } from "../../src/pipeline/ask.ts";
import type { Question, Settings, Stages } from "../../src/pipeline/stages.ts";
import type { CachedAnswer } from "../../src/ports/answer-cache.ts";
import type { GenerateDelta, GenerateRequest } from "../../src/ports/language-model.ts";
import { Run } from "../../src/run.ts";
import { createWords } from "../../src/text/words.ts";
import type { AnswerEvent, CallOptions, Passage, ScoredPassage, Session, Turn } from "../../src/types.ts";
import { SCOPE } from "./calls.ts";

export const SETTINGS: Settings = {
  limitsMs: { session: 200, rewrite: 200, cache: 60, embed: 60, search: 200, rerank: 60, save: 60, compact: 200 },
  timeoutMs: 5000,
  generateLimits: { firstItemMs: 200, silenceMs: 100 },
  rawTurns: 6,
  leaseMs: 60_000,
  rewriteFollowUps: true,
  rewriteByModel: true,
  cacheServes: true,
  top: 20,
  keep: 3,
  fusion: "learned",
  preRotTokens: 100_000,
  expectedOutputTokens: 100,
  system: "Answer.",
  summarizeByModel: true,
  compactStartRatio: 0.75,
  compactTargetRatio: 0.3,
  fingerprint: "test",
};

export function passage(id: string, text: string): Passage {
  return { id: `${id}#0`, documentId: id, title: `제목 ${id}`, headings: [], text, tokens: text.length, metadata: {} };
}

export const FOUND: readonly ScoredPassage[] = ["a", "b", "c", "d"].map((id, i) => ({
  passage: passage(id, `휴가 글 ${id}`),
  score: 4 - i,
}));

export function emptySession(id: string): Session {
  const counts = { version: 0, summarizedTurns: 0, turnCount: 0, totalTokens: 0 };
  return { id, ...counts, summary: "", entities: [], turns: [], pending: [], recall: null };
}

/** A model that says these words; the last may be an error to throw. */
export function saying(...texts: readonly (string | Error)[]): Stages["model"] {
  return modelOf(async function* () {
    for (const text of texts) {
      if (typeof text !== "string") throw text;
      yield { type: "text", text };
    }
    yield { type: "end", finishReason: "stop" };
  });
}

export function modelOf(
  stream: (request: GenerateRequest, call: CallOptions) => AsyncIterable<GenerateDelta>,
): Stages["model"] {
  return { model: "fake", contextTokensMax: 10_000, stream };
}

/** An embedder that answers nothing, and counts whose calls were cancelled. */
export function hangingEmbedder(): Pick<Stages, "embedder"> & { cancelled(): number } {
  let cancelled = 0;
  const embed = (_texts: readonly string[], _kind: string, { signal }: CallOptions) =>
    new Promise<never>((_, reject) =>
      signal.addEventListener("abort", () => {
        cancelled++;
        reject(signal.reason);
      }),
    );
  return { embedder: { model: "fake", dimensions: 2, embed }, cancelled: () => cancelled };
}

export interface FakeStages extends Stages {
  /** Every turn that was appended, in order. */
  readonly turns: Turn[];
}

/** Stages that do their work at once and never fail. Tokens are characters. */
export function fakeStages(
  change: Partial<Omit<Stages, "settings">> & { settings?: Partial<Settings> } = {},
): FakeStages {
  const turns: Turn[] = [];
  const loaded = (id: string) => ({
    ...emptySession(id),
    version: turns.length,
    turns: [...turns],
    turnCount: turns.length,
  });
  return {
    turns,
    sessions: {
      begin: async (_scope, id) => ({ session: loaded(id), recorded: Promise.resolve() }),
      renew: async () => undefined,
      finish: async (_scope, _id, turn) => void turns.push({ ...turn, number: turns.length + 1, short: false }),
      load: async (_scope, id) => loaded(id),
      turns: async () => turns,
      recall: async () => [],
      list: async () => ({ sessions: [] }),
      replace: async () => true,
      delete: async () => true,
      deleteAll: async () => turns.splice(0).length,
    },
    cache: null,
    embedder: { model: "fake", dimensions: 2, embed: async (texts) => texts.map(() => new Float32Array([1, 0])) },
    index: {
      search: async () => ({ byText: FOUND, byVector: [] }),
      replace: async () => undefined,
      delete: async () => false,
      has: async () => false,
      groups: async () => [],
      find: async () => null,
      list: async () => ({ documents: [] }),
      version: async () => "1",
      status: async () => ({ documents: 4, passages: 4, embedder: "fake" }),
    },
    reranker: null,
    model: saying("연차는", " 15일입니다 [1]."),
    instructed: null,
    counter: { name: "characters", count: (text) => text.length },
    chunkCounter: async () => ({ name: "characters", count: (text) => text.length }),
    words: createWords(),
    ...change,
    settings: { ...SETTINGS, ...change.settings },
  };
}

export function memoryCache(): NonNullable<Stages["cache"]> & { readonly entries: Map<string, CachedAnswer> } {
  const entries = new Map<string, CachedAnswer>();
  return {
    entries,
    find: async (_scope, key) => entries.get(key) ?? null,
    put: async (_scope, key, answer) => void entries.set(key, answer),
    deleteAll: async () => entries.clear(),
  };
}

let asked = 0;

export function questionOf(change: Partial<Question> = {}): Question {
  const requestId = change.requestId ?? `request-${++asked}`;
  return {
    requestId,
    turnKey: requestId,
    mayBeRepeated: false,
    scope: SCOPE,
    sessionId: "session",
    isFirst: false,
    question: "연차 휴가는 며칠인가요?",
    history: null,
    filter: null,
    top: null,
    useCache: true,
    useRewrite: true,
    useReranker: true,
    ...change,
  };
}

export interface Asked {
  readonly events: AnswerEvent[];
  readonly text: string;
  readonly last: AnswerEvent;
  readonly run: Run;
}

export function runOf(stages: Stages, change: { signal?: AbortSignal; timeoutMs?: number } = {}): Run {
  const { settings } = stages;
  const { signal = new AbortController().signal, timeoutMs = settings.timeoutMs } = change;
  return new Run({ signal, timeoutMs, limitsMs: settings.limitsMs });
}

/** Asks to the end, then runs what was put off until after it. */
export async function askAll(
  stages: Stages,
  question: Question = questionOf(),
  change: { signal?: AbortSignal; timeoutMs?: number; onEvent?: (event: AnswerEvent) => void } = {},
): Promise<Asked> {
  const run = runOf(stages, change);
  const tasks: ((call: CallOptions) => Promise<unknown>)[] = [];
  const events: AnswerEvent[] = [];
  for await (const event of ask(stages, question, run, (task) => tasks.push(task))) {
    events.push(event);
    change.onEvent?.(event);
  }
  for (const task of tasks) await task({ signal: new AbortController().signal });
  const last = events.at(-1);
  if (!last) throw new Error("no event");
  const text = events.map((event) => (event.type === "text-delta" ? event.text : "")).join("");
  return { events, text, last, run };
}

/** Never settles, and never looks at its signal. */
export function hang(): Promise<never> {
  return new Promise(() => undefined);
}

export const broken = () => new RaglineError("dependency_failed", "broken");
export const fails = () => Promise.reject(broken());

export function endOf(event: AnswerEvent) {
  if (event.type !== "answer-end") throw new Error(`not an end: ${JSON.stringify(event)}`);
  return event;
}
export function errorOf(event: AnswerEvent) {
  if (event.type !== "answer-error") throw new Error(`not an error: ${JSON.stringify(event)}`);
  return event;
}
export function withIndex(search: Stages["index"]["search"]): Partial<Stages> {
  return { index: { ...fakeStages().index, search } };
}
export function withSessions(change: Partial<Stages["sessions"]>): Partial<Stages> {
  return { sessions: { ...fakeStages().sessions, ...change } };
}
