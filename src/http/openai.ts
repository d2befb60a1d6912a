import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { RaglineError } from "../errors.ts";
import type { AskRequest, Ragline } from "../index.ts";
import { defined } from "../requests.ts";
import type { AnswerEvent, ErrorBody, FinishReason, Usage } from "../types.ts";
import { wholeAnswer } from "../whole-answer.ts";
import { askFor, askHeaders } from "./asking.ts";
import { answerErrors } from "./errors.ts";
import { type Encode, sendEvents } from "./sse.ts";
import type { ZodRequests } from "./type-provider.ts";

const MESSAGES_MAX = 1000;
/** Of one message. */
const PARTS_MAX = 100;

/** No tool is called: a client that insists on one would wait for what never comes. */
const toolChoice = z.enum(["none", "auto"], "must be none or auto: answers are text, no tool is called").nullish();

/**
 * The slice of OpenAI's request that is read, and what would give the answer another shape, which is refused; everything else
 * that a client sends is accepted and has no effect.
 */
function requestSchema(ragline: Ragline) {
  const part = z.looseObject({ type: z.string(), text: z.string().nullish() });
  const message = z.looseObject({
    role: z.enum(["system", "developer", "user", "assistant", "tool", "function"]),
    content: z
      .union([z.string(), z.array(part).max(PARTS_MAX)], `must be text, or a list of up to ${PARTS_MAX} parts`)
      .nullish()
      .describe("Of the last message text parts alone; of earlier ones others are left out."),
  });
  const { question, history: _, ...own } = ragline.schemas.ask.shape;
  const earlier = ragline.schemas.history.element.shape.content;
  const request = z.looseObject({
    model: z.string().nullish().describe("Accepted and ignored: the answer comes from the configured model."),
    messages: z.array(message).min(1).max(MESSAGES_MAX),
    stream: z.boolean().nullish(),
    stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
    n: z.literal(1, "only one choice is supported").nullish(),
    tool_choice: toolChoice,
    function_call: toolChoice,
    response_format: z.looseObject({ type: z.literal("text", "must be text: answers have no other format") }).nullish(),
    ragline: z
      .strictObject(own)
      .nullish()
      .describe(
        "Ragline's own: as in `/v1/ask`. With `sessionId` the stored conversation is used, and of `messages` the last.",
      ),
  });
  return request.superRefine(({ messages, ragline }, context) => {
    const last = messages.length - 1;
    for (const [i, { role, content }] of messages.entries()) {
      const refuse = (message: string, ...path: (string | number)[]) =>
        context.addIssue({ code: "custom", path: ["messages", i, ...path], message });
      if (i === last && role !== "user") refuse("the last one must have the role user", "role");
      else if (i === last || (isHistory(role) && !ragline?.sessionId)) {
        for (const at of i === last ? otherParts(content) : []) refuse("must be a text part", "content", at);
        const read = (i === last ? question : earlier).safeParse(plainText(content));
        for (const { message } of read.error?.issues ?? []) refuse(message, "content");
      }
    }
  });
}

function isHistory(role: string): role is "user" | "assistant" {
  return role === "user" || role === "assistant";
}

type ChatRequest = z.output<ReturnType<typeof requestSchema>>;
type Content = ChatRequest["messages"][number]["content"];
type Part = Exclude<Content, string | null | undefined>[number];

function isText(part: Part | undefined): part is Part & { readonly text: string } {
  return part?.type === "text" && typeof part.text === "string";
}

interface Reply {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

/** OpenAI's chat completions, so that existing clients work unchanged. Sources travel in the extra field `ragline`. */
export function registerOpenAi(routes: FastifyInstance, ragline: Ragline): void {
  const typed = routes.withTypeProvider<ZodRequests>();
  const summary = "OpenAI's chat completions; sources in the extra field `ragline`.";
  const model = () => ragline.modelName;
  answerErrors(routes, openAiError);

  const schema = { summary, headers: askHeaders, body: requestSchema(ragline) };
  typed.post("/v1/chat/completions", { onRequest: routes.admission.enter, schema }, async (request, reply) => {
    const events = askFor(request, reply, ragline, toAsk(request.body));
    const head: Reply = { id: `chatcmpl-${request.id}`, created: Math.floor(Date.now() / 1000), model: model() };
    if (!request.body.stream) {
      const { text, finishReason, usage, ...rest } = await wholeAnswer(events);
      const message = { role: "assistant", content: text, refusal: null };
      const choice = { index: 0, message, finish_reason: finish(finishReason), logprobs: null };
      return { ...head, object: "chat.completion", choices: [choice], usage: toUsage(usage), ragline: rest };
    }
    const encode = chunkEncoder(head, request.body.stream_options?.include_usage ?? false);
    return sendEvents(reply, events, encode, ragline.config.server.stallTimeoutMs);
  });

  typed.get("/v1/models", { schema: { summary: "The one model that answers." } }, () => ({
    object: "list",
    data: [{ id: model(), object: "model", created: 0, owned_by: "ragline" }],
  }));
  typed.get(
    "/v1/models/:id",
    { schema: { summary: "One model.", params: z.object({ id: z.string() }) } },
    ({ params }) => {
      if (params.id !== model()) throw new RaglineError("not_found", `model: there is no ${JSON.stringify(params.id)}`);
      return { id: model(), object: "model", created: 0, owned_by: "ragline" };
    },
  );
}

function toAsk({ messages, ragline }: ChatRequest): AskRequest {
  const question = plainText(messages.at(-1)?.content);
  const set = defined(ragline ?? {});
  if (ragline?.sessionId) return { ...set, question };
  const history = messages.slice(0, -1).flatMap(({ role, content }) => {
    const text = plainText(content);
    // Without text are calls of tools, refusals and pictures: none of them is an answer, or a question.
    return isHistory(role) && text ? [{ role, content: text }] : [];
  });
  return { ...set, question, history };
}

/** Where content has what is no text. */
function otherParts(content: Content): number[] {
  return Array.isArray(content) ? [...content.keys()].filter((at) => !isText(content[at])) : [];
}

function plainText(content: Content): string {
  if (typeof content === "string") return content;
  return (content ?? []).flatMap((part) => (isText(part) ? [part.text] : [])).join("\n");
}

/** An answer's events as chunks; the first carries the sources. */
function chunkEncoder(head: Reply, includeUsage: boolean): Encode {
  const chunk = (delta: object, finishReason: string | null, extra: object = {}) =>
    data({
      ...head,
      object: "chat.completion.chunk",
      choices: [{ index: 0, delta, finish_reason: finishReason, logprobs: null }],
      ...(includeUsage && { usage: null }),
      ...extra,
    });
  let start: object = {};
  return (event) => {
    switch (event.type) {
      case "answer-start":
        start = fieldsOf(event);
        return "";
      case "source-list":
        return chunk({ role: "assistant", content: "" }, null, { ragline: { ...start, ...fieldsOf(event) } });
      case "text-delta":
        return chunk({ content: event.text }, null);
      case "answer-end": {
        const { type: _, finishReason, usage, ...rest } = event;
        const last = { ...head, object: "chat.completion.chunk", choices: [], usage: toUsage(usage) };
        const end = chunk({}, finish(finishReason), { ragline: rest });
        return `${end}${includeUsage ? data(last) : ""}data: [DONE]\n\n`;
      }
      case "answer-error":
        return data({ error: openAiError(event.error) });
    }
  };
}

function fieldsOf({ type: _, ...fields }: AnswerEvent): object {
  return fields;
}

function data(value: object): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

function finish(reason: FinishReason): string {
  return reason === "no_answer" ? "stop" : reason;
}

function toUsage({ promptTokens, completionTokens }: Usage) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

/** OpenAI's error object; the code of the error table stays readable in `code`. */
function openAiError({ code, message, ...rest }: ErrorBody) {
  return {
    message,
    type: code === "request_invalid" ? "invalid_request_error" : "api_error",
    param: null,
    code,
    ...rest,
  };
}
