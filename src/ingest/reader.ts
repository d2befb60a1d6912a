import { type ChildProcess, fork } from "node:child_process";
import { RaglineError, RETRY_AFTER_MS } from "../errors.ts";
import { EmptyDocumentError, type SourceDocument } from "./document.ts";
import { decodeText } from "./encoding.ts";
import { frontMatterLength } from "./front-matter.ts";
import { normalize } from "./normalize.ts";
import { isText, type ReadRequest, readHere } from "./read.ts";
import { type Row, readRow } from "./row.ts";

export type ReadReply = Row;

/** A line of JSONL. */
export interface RowRequest {
  readonly row: Uint8Array;
}

export interface ReaderLimits {
  /** For one document. */
  readonly timeoutMs: number;
  /** Of the reading process, resident. */
  readonly memoryBytesMax: number;
  /** For the turn of a document that is held in memory meanwhile; absent: none. Files and rows wait as long as it takes. */
  readonly waitMs?: number;
}

/** Reads documents where none of them can stall or bring down this process. */
export interface DocumentReader {
  /**
   * @throws RaglineError `request_invalid` with the bare reason, EmptyDocumentError where there is no text, `overloaded` where it waited
   * too long; the signal's reason when it aborts.
   */
  read(request: ReadRequest, signal: AbortSignal): Promise<SourceDocument>;
  /** A line of JSONL. Rejects only with the signal's reason. */
  readRow(bytes: Uint8Array, signal: AbortSignal): Promise<Row>;
  close(): void;
}

/** Text up to this many bytes is parsed here: hostile Markdown of this size takes 20 ms (0.7 ms a KB), a trip to a process 1 to 3. */
const HERE_BYTES_MAX = 16_000;
/** Likewise for its front matter, where it came over HTTP: hostile YAML takes 15 ms a KB. In UTF-16 units. */
const YAML_HERE_MAX = 2_000;
/** Documents read at once. */
const PROCESSES = 2;
/** After this without work a process ends; it holds 60 to 100 MB. */
const IDLE_MS = 10_000;
/** Of the process's limit: what its JavaScript may take, so that its own error is met before the limit. */
const HEAP_SHARE = 0.75;
const MB = 1_048_576;

const READER_LIMITS: ReaderLimits = { timeoutMs: 60_000, memoryBytesMax: 768 * MB };

interface Slot {
  child: ChildProcess | null;
  idle: NodeJS.Timeout | null;
}

export function createReader(limits: ReaderLimits = READER_LIMITS): DocumentReader {
  const free: Slot[] = Array.from({ length: PROCESSES }, () => ({ child: null, idle: null }));
  const all = [...free];
  const waiting = new Set<(slot: Slot) => void>();

  async function take(signal: AbortSignal, waitMs: number | undefined): Promise<Slot> {
    const slot = free.pop();
    if (slot) return slot;
    const turn = Promise.withResolvers<Slot>();
    // It leaves the queue at once: a slot that is given to a turn already given up is lost.
    const giveUp = (reason: unknown) => {
      waiting.delete(turn.resolve);
      turn.reject(reason);
    };
    const leave = () => giveUp(signal.reason);
    const timer = waitMs === undefined ? undefined : setTimeout(() => giveUp(tooMany(waitMs)), waitMs);
    waiting.add(turn.resolve);
    signal.addEventListener("abort", leave, { once: true });
    return turn.promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener("abort", leave);
    });
  }

  function release(slot: Slot): void {
    const [next] = waiting;
    if (next) {
      waiting.delete(next);
      next(slot);
    } else {
      free.push(slot);
      slot.child?.unref();
      slot.child?.channel?.unref();
      slot.idle = setTimeout(() => end(slot), IDLE_MS).unref();
    }
  }

  async function elsewhere(request: ReadRequest | RowRequest, signal: AbortSignal): Promise<ReadReply> {
    const isHeld = "content" in request && !("path" in request.content);
    const slot = await take(signal, isHeld ? limits.waitMs : undefined);
    try {
      signal.throwIfAborted();
      const hasReadOthers = slot.child !== null;
      let reply = await readElsewhere(slot, request, limits, signal);
      // What others left behind counts as its memory too: only a process of its own tells.
      if (reply === null && hasReadOthers) reply = await readElsewhere(slot, request, limits, signal);
      return reply ?? { refused: `took more than ${megabytes(limits)} MB of memory to read, or broke its parser` };
    } finally {
      release(slot);
    }
  }

  return {
    async read(request, signal) {
      signal.throwIfAborted();
      if (isSmall(request)) return readHere(request);
      const reply = await elsewhere(request, signal);
      if ("document" in reply) return reply.document;
      if (!("refused" in reply) || reply.isEmpty) throw new EmptyDocumentError();
      throw new RaglineError("request_invalid", reply.refused);
    },
    async readRow(bytes, signal) {
      signal.throwIfAborted();
      return bytes.length <= HERE_BYTES_MAX ? readRow(bytes) : elsewhere({ row: bytes }, signal);
    },
    close() {
      for (const slot of all) end(slot);
    },
  };
}

function isSmall({ format, content }: ReadRequest): boolean {
  if (!isText(format)) return false;
  if ("path" in content) return content.size <= HERE_BYTES_MAX;
  if (("text" in content ? content.text : content.bytes).length > HERE_BYTES_MAX) return false;
  if (format !== "markdown") return true;
  const text = "text" in content ? content.text : decodeText(content.bytes);
  return frontMatterLength(normalize(text)) <= YAML_HERE_MAX;
}

function end(slot: Slot): void {
  if (slot.idle) clearTimeout(slot.idle);
  slot.child?.kill("SIGKILL");
  slot.child = null;
}

function tooMany(waitMs: number): RaglineError {
  const message = `Too many documents are being read: this one waited ${waitMs / 1000} s for its turn. Try again later.`;
  return new RaglineError("overloaded", message, { retryAfterMs: RETRY_AFTER_MS });
}

function megabytes({ memoryBytesMax }: ReaderLimits): number {
  return Math.round(memoryBytesMax / MB);
}

function start({ memoryBytesMax }: ReaderLimits, slot: Slot): ChildProcess {
  // Built code runs as .js, the source tree directly as .ts.
  const script = new URL(`./reader-process${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
  const child = fork(script, [String(memoryBytesMax)], {
    execArgv: [`--max-old-space-size=${Math.floor((memoryBytesMax / MB) * HEAP_SHARE)}`, "--no-warnings"],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    env: {},
  });
  const gone = () => {
    if (slot.child === child) slot.child = null;
  };
  return child.once("exit", gone).on("error", gone);
}

/** Null: the process ended before it replied. */
async function readElsewhere(
  slot: Slot,
  request: ReadRequest | RowRequest,
  limits: ReaderLimits,
  signal: AbortSignal,
): Promise<ReadReply | null> {
  if (slot.idle) clearTimeout(slot.idle);
  const child = slot.child ?? start(limits, slot);
  slot.child = child;
  child.ref();
  child.channel?.ref();
  const answer = Promise.withResolvers<ReadReply | null>();
  const onEnd = () => answer.resolve(null);
  // A process that never started has no pid; any other's error is that it can no longer be told anything.
  const onError = (error: Error) => (child.pid === undefined ? answer.reject(error) : onEnd());
  const stop = (settle: () => void) => () => {
    child.off("exit", onEnd);
    end(slot);
    settle();
  };
  const onAbort = stop(() => answer.reject(signal.reason));
  const overdue = stop(() => answer.resolve({ refused: `took more than ${limits.timeoutMs / 1000} s to read` }));
  const timer = setTimeout(overdue, limits.timeoutMs);
  child.once("message", answer.resolve);
  child.once("exit", onEnd);
  child.once("error", onError);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    child.send(request);
    return await answer.promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    child.off("message", answer.resolve).off("exit", onEnd).off("error", onError);
  }
}
