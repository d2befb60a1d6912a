import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { z } from "zod";
import { RaglineError } from "../errors.ts";
import { type Plan, type PlannedSession, type PlannedTurn, questionsInTurn } from "./plan.ts";

export interface TraceOptions {
  readonly file: string;
  /** How many times faster than recorded, thinking times included. */
  readonly compress: number;
  /** Of the compressed trace: what arrives later is left out. */
  readonly seconds: number | null;
}

const id = z.union([z.string(), z.number()]);

/** A row of a trace; other fields are ignored. `timestamp` is in milliseconds, as Mooncake's traces have it. */
const row = z
  .object({
    t: z.number().min(0).optional(),
    timestamp: z.number().min(0).optional(),
    session: id.optional(),
    /** What the reader asked, by its id or the ids of its parts: equal ones are the same question. */
    user_input: z.union([id, z.array(id)]).optional(),
  })
  .refine(({ t, timestamp }) => t !== undefined || timestamp !== undefined, "needs t (seconds) or timestamp (ms)");
type Row = z.infer<typeof row>;

/**
 * The arrivals of a recorded trace, JSONL: `t` in seconds, `session` and `user_input` where it knows them. Token counts are not
 * used: lengths are the server's own.
 * @throws RaglineError `request_invalid`: the file cannot be read, or a line is no row; the message names it.
 */
export async function planTrace(questions: readonly string[], options: TraceOptions): Promise<Plan> {
  const rows = await readRows(options.file);
  const [first] = rows;
  const startedAt = first ? timeOf(first) : 0;
  const question = questionsInTurn(questions);
  const bySession = new Map<string, PlannedTurn[]>();
  const limitMs = options.seconds === null ? Number.POSITIVE_INFINITY : options.seconds * 1000;
  let lastMs = 0;
  for (const [number, one] of rows.entries()) {
    const at = (timeOf(one) - startedAt) / options.compress;
    if (at >= limitMs) break;
    lastMs = at;
    const key = one.session === undefined ? `row ${number}` : String(one.session);
    const turns = bySession.get(key) ?? [];
    turns.push({
      question: question(one.user_input === undefined ? undefined : [one.user_input].flat().join(" ")),
      at,
    });
    bySession.set(key, turns);
  }
  const sessions = [...bySession.values()] as unknown as PlannedSession[];
  const turns = sessions.reduce((sum, { length }) => sum + length, 0);
  const arrivals = `trace ${basename(options.file)}, ${turns} requests of ${sessions.length} conversations, ${options.compress} times as fast as recorded`;
  return { arrivals, sessions, ms: lastMs, dueMaxMs: Number.POSITIVE_INFINITY };
}

async function readRows(file: string): Promise<Row[]> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new RaglineError("request_invalid", `--trace: ${file} cannot be read`, { cause });
  });
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const rows = lines.map((line, index) => {
    const parsed = row.safeParse(parseJson(line));
    if (parsed.success) return parsed.data;
    const problem = parsed.error.issues[0];
    const place = [`line ${index + 1}`, ...(problem?.path ?? [])].join(", ");
    throw new RaglineError("request_invalid", `--trace: ${file}, ${place}: ${problem?.message ?? "is no row"}`);
  });
  if (rows.length === 0) throw new RaglineError("request_invalid", `--trace: ${file} holds no rows`);
  return rows.sort((a, b) => timeOf(a) - timeOf(b));
}

function timeOf({ t, timestamp }: Row): number {
  return t === undefined ? (timestamp ?? 0) : t * 1000;
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
