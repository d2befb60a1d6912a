import { styleText } from "node:util";
import { errorOf } from "../errors.ts";
import {
  type AnswerEvent,
  type AskRequest,
  type CallerOptions,
  type ListedSource,
  type Ragline,
  RaglineError,
} from "../index.ts";
import { parseRequest, userName } from "../requests.ts";
import { pageLabel } from "../text/page-label.ts";
import { wholeAnswer } from "../whole-answer.ts";
import { parseFilters } from "./filter.ts";
import { printable, printableLine } from "./printable.ts";
import { asTenant, groupsNamed, withRagline } from "./session.ts";
import { waterfall } from "./waterfall.ts";

export interface AskCommandOptions {
  readonly session?: string;
  readonly top?: number;
  readonly filter: readonly string[];
  readonly tenant?: string;
  readonly group: readonly string[];
  readonly user?: string;
  readonly collection?: string;
  readonly timings?: true;
  readonly json?: true;
}

/** `ragline ask`: the answer on standard output as it comes, its sources after it. */
export async function askCommand(
  configFile: string | undefined,
  question: string,
  options: AskCommandOptions,
): Promise<void> {
  const { session, top, collection } = options;
  const filter = parseFilters(options.filter);
  const groups = groupsNamed(options.group);
  const user = options.user === undefined ? {} : { user: parseRequest(userName, options.user, "--user") };
  const request: AskRequest = {
    question,
    ...(session !== undefined && { sessionId: session }),
    ...(top !== undefined && { top }),
    ...(filter && { filter: { ...filter } }),
    ...(collection !== undefined && { collection }),
  };
  const ask = async (ragline: Ragline, signal: AbortSignal) => {
    const caller = { signal, groups, ...user };
    const { documents, collection: asked } = await ragline.status(collection, caller);
    if (documents === 0) {
      throw new RaglineError("not_found", `nothing is indexed in the collection ${asked}; run: ragline index <path>`);
    }
    if (options.json) {
      const answer = await wholeAnswer(ragline.ask(request, caller));
      console.log(JSON.stringify(answer));
      return;
    }
    await printAnswer(ragline, request, caller, { timings: options.timings ?? false, onward: "go on with --session" });
  };
  await withRagline(configFile, ask, { change: asTenant(options.tenant) });
}

interface PrintOptions {
  readonly timings: boolean;
  /** How to go on; the session's id follows. */
  readonly onward: string;
}

/** Streams one answer to standard output. @throws RaglineError what `answer-error` says. */
export async function printAnswer(
  ragline: Ragline,
  request: AskRequest,
  caller: CallerOptions,
  options: PrintOptions,
): Promise<void> {
  let sources: readonly ListedSource[] = [];
  let sessionId: string | undefined;
  for await (const event of ragline.ask(request, caller)) {
    if (event.type === "answer-start") sessionId = event.sessionId;
    else if (event.type === "source-list") sources = event.sources;
    else if (event.type === "text-delta") process.stdout.write(printable(event.text));
    else if (event.type === "answer-end") printEnd(event, sources, sessionId, options);
    else {
      process.stdout.write("\n");
      if (options.timings) printTimings(event);
      throw errorOf(event.error);
    }
  }
}

function placeOf({ documentId, ...place }: Pick<ListedSource, "documentId" | "page" | "pageEnd">): string {
  return [documentId, pageLabel(place)].filter(Boolean).join(", ");
}

type End = Extract<AnswerEvent, { readonly type: "answer-end" }>;

function printEnd(
  end: End,
  sources: readonly ListedSource[],
  sessionId: string | undefined,
  { timings, onward }: PrintOptions,
): void {
  const dim = (text: string) => console.log(styleText("dim", text));
  process.stdout.write("\n\n");
  if (end.finishReason !== "no_answer") {
    for (const { n, alsoIn = [], ...source } of sources) {
      dim(printableLine(`[${n}] ${[source.title, ...(source.headings ?? [])].join(" > ")}  (${placeOf(source)})`));
      for (const place of alsoIn) dim(printableLine(`    also in ${placeOf(place)}`));
    }
  }
  for (const { step, reason, fallback } of end.degraded)
    console.log(styleText("yellow", `${step}: ${reason}, ${fallback}`));
  const first = end.firstTextMs === null ? "" : `first text after ${end.firstTextMs.toFixed(1)} ms, `;
  const next = sessionId === undefined ? "" : `; ${onward} ${sessionId}`;
  dim(`${first}done in ${end.totalMs.toFixed(1)} ms${end.cached ? ", from the cache" : ""}${next}`);
  if (timings) printTimings(end);
}

/** As wide as the terminal; in a file or a pipe as wide as most. */
function printTimings({ spans, totalMs, calls }: Pick<End, "spans" | "totalMs" | "calls">): void {
  const columns = process.stdout.columns ?? 80;
  for (const line of waterfall(spans, totalMs, calls, { columns, paint: styleText })) console.log(line);
}
