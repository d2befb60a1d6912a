import { errorOf, RaglineError } from "./errors.ts";
import type { AnswerEvent } from "./types.ts";

type Fields<T extends AnswerEvent["type"]> = Omit<Extract<AnswerEvent, { readonly type: T }>, "type">;

/** An answer as one object, for callers who do not stream. */
export type WholeAnswer = Fields<"answer-start"> &
  Fields<"source-list"> & { readonly text: string } & Fields<"answer-end">;

/** Reads an answer to its end. @throws RaglineError what `answer-error` says. */
export async function wholeAnswer(events: AsyncIterable<AnswerEvent>): Promise<WholeAnswer> {
  let start: Fields<"answer-start"> = { requestId: "" };
  let list: Fields<"source-list"> = { query: "", sources: [] };
  let text = "";
  for await (const { type, ...fields } of events) {
    if (type === "answer-start") start = fields as typeof start;
    else if (type === "source-list") list = fields as typeof list;
    else if (type === "text-delta") text += (fields as Fields<"text-delta">).text;
    else if (type === "answer-end") return { ...start, ...list, text, ...(fields as Fields<"answer-end">) };
    else throw errorOf((fields as Fields<"answer-error">).error);
  }
  throw new RaglineError("internal", "The answer ended without an end.");
}
