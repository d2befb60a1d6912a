import { z } from "zod";
import { collectionName, storedText } from "./config/fields.ts";
import { worded } from "./config/worded.ts";
import type { Config } from "./config.ts";
import { RaglineError } from "./errors.ts";
import {
  FIELD_LIST_MAX,
  FIELD_NAME_LENGTH_MAX,
  FIELD_TEXT_LENGTH_MAX,
  METADATA_FIELDS_MAX,
  RESERVED_FIELD_NAMES,
  TITLE_LENGTH_MAX,
  URL_LENGTH_MAX,
} from "./ingest/metadata.ts";
import { GROUP_LENGTH_MAX, GROUPS_MAX } from "./types.ts";

export { groupNames } from "./config/callers.ts";
export { tenantName, userName } from "./config/fields.ts";

const LOGICAL: ReadonlySet<string> = new Set(["$and", "$or", "$not"]);
const ISSUES_NAMED_MAX = 8;
const ISSUE_CHARACTERS_MAX = 400;
const FILTER_CONDITIONS_MAX = 512;
const TOO_MANY_CONDITIONS = `has more than ${FILTER_CONDITIONS_MAX} conditions and values`;

/** No language has as many, and composing them takes time by their square: see Unicode's Stream-Safe Text Format (UAX 15). */
const MARKS = /\p{M}{31}/u;
const MARKS_SAID = "must not hold more than 30 combining marks in a row";

/** Composed, as macOS writes Hangul decomposed. */
const composedString = z
  .string()
  .refine((value) => !MARKS.test(value), { error: MARKS_SAID, abort: true })
  .normalize("NFC");

/** Text that can be stored and sent on. */
const text = (charsMax: number) => storedText(charsMax, composedString);

const nonBlank = (charsMax: number) => text(charsMax).refine((value) => value.trim() !== "", "must not be blank");

const sessionId = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9_-][A-Za-z0-9_.:-]*$/, "must be letters, digits, `_`, `-`, `.` or `:`, and not begin with `.`");

export const idempotencyKey = z.string().regex(/^[ -~]{1,128}$/, "must be 1 to 128 printable ASCII characters");

const documentId = nonBlank(512).refine(
  (id) => !id.startsWith("/") && !id.split(/[/\\]/).some((part) => part === ".." || part === "."),
  "must be relative, without `.` or `..` in its path",
);

const collection = collectionName(composedString)
  .optional()
  .describe("The collection to use; the configured one where absent.");

const fieldName = nonBlank(FIELD_NAME_LENGTH_MAX).refine(
  (name) => !RESERVED_FIELD_NAMES.has(name),
  "is a reserved name",
);
const VALUES = `must be text, up to ${FIELD_TEXT_LENGTH_MAX} characters, a number, true, false, or a list of up to ${FIELD_LIST_MAX} of these`;
const scalar = z.union([text(FIELD_TEXT_LENGTH_MAX), z.number(), z.boolean()]);
const metadata = counted(
  z.record(
    fieldName.refine((name) => !name.startsWith("$"), "must not begin with `$`"),
    z.union([scalar, z.array(scalar).max(FIELD_LIST_MAX)], VALUES),
  ),
  METADATA_FIELDS_MAX,
  `must have at most ${METADATA_FIELDS_MAX} fields`,
);

const message = (charsMax: number) =>
  z.strictObject({ role: z.enum(["system", "user", "assistant"]), content: text(charsMax) });

/** The schemas of everything a client may send, with the limits that the configuration sets. They also make the OpenAPI document. */
export function requestSchemas(config: Config) {
  const { questionCharsMax, filterDepthMax, timeoutMaxMs } = config.server;
  const filter = counted(
    z
      .record(fieldName, z.unknown())
      .superRefine((value, context) => {
        const problem = filterProblem(value, filterDepthMax);
        if (problem) context.addIssue({ code: "custom", message: problem, continue: false });
      })
      .overwrite((value) => composed(value) as Record<string, unknown>),
    FILTER_CONDITIONS_MAX,
    TOO_MANY_CONDITIONS,
  ).describe(
    "Metadata filter: `{field: value}`, `{field: {$eq, $ne, $in, $nin, $gt, $gte, $lt, $lte}}`, `$and`, `$or` (lists) and `$not`.",
  );
  const top = z.int().min(1).max(config.search.top);
  const history = z.array(message(200_000)).max(1000);
  const asked = z.strictObject({
    question: nonBlank(questionCharsMax).describe("What the reader asks."),
    sessionId: sessionId
      .optional()
      .describe("The conversation to go on with; made up and returned where it and `history` are absent."),
    history: history
      .optional()
      .describe("Earlier messages kept by the client, instead of `sessionId`, not beside it; nothing is stored."),
    collection,
    filter: filter.optional(),
    top: top.optional().describe("Passages that go into the prompt."),
    cache: z.boolean().optional().describe("`false`: neither look for a stored answer nor store this one."),
    rewrite: z.boolean().optional().describe("`false`: a follow-up is searched for as it is asked, which is quicker."),
    rerank: z.boolean().optional().describe("`false`: the order of search, which is quicker."),
    timeoutMs: z.int().min(1).max(timeoutMaxMs).optional().describe("Limit up to the first token, milliseconds."),
  });
  const ask = asked.refine(({ sessionId, history }) => sessionId === undefined || history === undefined, {
    path: ["history"],
    error: "must not come beside sessionId: either the client keeps the conversation, or Ragline does",
  });
  const search = z.strictObject({
    query: nonBlank(questionCharsMax).describe("What to look for."),
    collection,
    filter: filter.optional(),
    top: top.optional().describe("Passages to return."),
    rerank: z.boolean().optional().describe("`false`: the order of search."),
  });
  const document = z.strictObject({
    id: documentId,
    title: text(TITLE_LENGTH_MAX).optional(),
    text: nonBlank(config.server.bodyBytesMax),
    format: z.enum(["markdown", "text", "html"]).default("markdown"),
    url: z
      .url({ protocol: /^https?$/ })
      .max(URL_LENGTH_MAX)
      .optional(),
    metadata: metadata.optional(),
    groups: z
      .array(nonBlank(GROUP_LENGTH_MAX))
      .max(GROUPS_MAX)
      .optional()
      .describe("Who may read it; absent or empty: everyone of the tenant."),
    collection,
  });
  const file = document.omit({ text: true }).extend({
    format: z
      .enum(["pdf", "docx", "pptx", "xlsx", "hwp", "hwpx", "html", "markdown", "text"])
      .describe("What the bytes are."),
  });
  const list = z.strictObject({
    after: text(512).optional().describe("`next` of the page before."),
    limit: z.coerce.number().int().min(1).max(1000).default(100),
    collection,
  });
  const turns = z.strictObject({
    after: z.coerce.number().int().min(0).default(0).describe("`next` of the page before."),
    limit: z.coerce.number().int().min(1).max(500).default(100),
    collection,
  });
  const sessions = z.strictObject({
    after: z
      .string()
      .max(160)
      .regex(/^\d{1,15}:[A-Za-z0-9_.:-]+$/, "must be `next` of a page")
      .optional()
      .describe("`next` of the page before."),
    limit: z.coerce.number().int().min(1).max(500).default(100),
    collection,
  });
  const erase = z.strictObject({ collection: collection.unwrap() });
  return { ask, search, document, file, list, turns, sessions, erase, sessionId, documentId, collection, history };
}

/** Fields are counted before any is read: the issues of 100,000 wrong ones take seconds. */
function counted<S extends z.ZodType>(fields: S, fieldsMax: number, problem: string) {
  const count = (value: unknown, context: z.RefinementCtx) => {
    const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
    if (isRecord && Object.keys(value).length > fieldsMax) {
      context.addIssue({ code: "custom", message: problem });
    }
    return value;
  };
  return z.preprocess(count, fields) as unknown as z.ZodType<z.output<S>, z.input<S>>;
}

/** `field`: what the input is, where it is no object of fields. @throws RaglineError `request_invalid`, naming fields and limits. */
export function parseRequest<S extends z.ZodType>(schema: S, input: unknown, field?: string): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issues = result.error.issues.slice(0, ISSUES_NAMED_MAX).map((issue) => describeIssue(issue, field));
  const more = result.error.issues.length - issues.length;
  throw new RaglineError("request_invalid", more > 0 ? `${issues.join("; ")}; and ${more} more` : issues.join("; "));
}

function describeIssue(issue: z.core.$ZodIssue, field: string | undefined): string {
  // The only field of a path: a wildcard in a route, which is an id.
  const path = issue.path.map((part) => (part === "*" ? "id" : String(part)));
  const place = (field === undefined ? path : [field, ...path]).join(".");
  const inner = issue.code === "invalid_key" || issue.code === "invalid_element" ? issue.issues[0]?.message : undefined;
  const message = worded(inner ?? issue.message);
  const text = place ? `${place}: ${message}` : message;
  return text.length > ISSUE_CHARACTERS_MAX ? `${text.slice(0, ISSUE_CHARACTERS_MAX)}…`.toWellFormed() : text;
}

/** `undefined` means absent. */
export type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

export function defined<T>(value: T): Defined<T> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value as Defined<T>;
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Defined<T>;
}

export type RequestSchemas = ReturnType<typeof requestSchemas>;
export type AskRequest = z.input<RequestSchemas["ask"]>;
export type SearchRequest = z.input<RequestSchemas["search"]>;
export type DocumentInput = z.input<RequestSchemas["document"]>;
/** Named always, though it is the configured one. */
export type EraseRequest = z.input<RequestSchemas["erase"]>;
export type FileInput = z.input<RequestSchemas["file"]>;
export type DocumentListRequest = {
  readonly after?: string | undefined;
  readonly limit?: number;
  readonly collection?: string | undefined;
};

/** Hangul as it is stored; what cannot be, and a filter too deep to be walked, is refused all the same. */
function composed(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return MARKS.test(value) ? value : value.normalize("NFC");
  if (typeof value !== "object" || value === null || depth > 64) return value;
  if (Array.isArray(value)) return value.map((item) => composed(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [composed(key), composed(item, depth + 1)]));
}

export interface SessionsRequest {
  /** `next` of the page before. */
  readonly after?: string | undefined;
  /** 1 to 500; 100 where absent. */
  readonly limit?: number;
  readonly collection?: string | undefined;
}

export interface TurnsRequest {
  /** Turns after this number; 0 where absent. */
  readonly after?: number;
  /** 1 to 500; 100 where absent. */
  readonly limit?: number;
  readonly collection?: string | undefined;
}

/** Walks without recursion: the depth is the attacker's. */
function filterProblem(filter: unknown, depthMax: number): string | null {
  const open: { readonly value: unknown; readonly depth: number }[] = [{ value: filter, depth: 0 }];
  let conditions = 0;
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, depth } = next;
    if (typeof value === "string" && (!value.isWellFormed() || value.includes("\0")))
      return "holds text that is not well-formed";
    if (typeof value === "string" && MARKS.test(value)) return MARKS_SAID;
    if (typeof value === "number" && !Number.isFinite(value)) return "holds a number that is not finite";
    if (typeof value !== "object" || value === null) continue;
    if (depth > depthMax) return `nested deeper than ${depthMax}`;
    conditions += Array.isArray(value) ? value.length : Object.keys(value).length;
    if (conditions > FILTER_CONDITIONS_MAX) return TOO_MANY_CONDITIONS;
    for (const [key, child] of Object.entries(value)) {
      if (RESERVED_FIELD_NAMES.has(key)) return `${key} is a reserved name`;
      if (MARKS.test(key)) return MARKS_SAID;
      if (key.length > FIELD_NAME_LENGTH_MAX)
        return `has a field name of more than ${FIELD_NAME_LENGTH_MAX} characters`;
      open.push({ value: child, depth: LOGICAL.has(key) ? depth + 1 : depth });
    }
  }
  return null;
}
